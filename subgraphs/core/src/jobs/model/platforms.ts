/**
 * Instruction sets and levels that workers report; a job that needs any other would wait forever. Pure data.
 */

/** Instruction sets as named by the kernel. */
const architectures = ['x86_64', 'aarch64', 'i686', 'ppc64le', 'riscv64', 's390x'] as const;

/** Aliases that the scheduler understands. */
const aliases: readonly string[] = ['amd64', 'x86-64', 'arm64'];

/** Levels of `x86_64`, the only instruction set with named levels. */
const architectureLevels = ['x86-64-v1', 'x86-64-v2', 'x86-64-v3', 'x86-64-v4'] as const;

/** Value for a container runtime: any that the worker has. */
export const anyRuntime = 'any';

const known: ReadonlySet<string> = new Set([...architectures, ...aliases]);
const levels: ReadonlySet<string> = new Set(architectureLevels);
const ofIntel: ReadonlySet<string> = new Set(['x86_64', 'amd64', 'x86-64']);

/** Expected instruction sets; undefined if the given one is known. Case is ignored. */
export function wantedArchitecture(text: string): string | undefined {
  return known.has(text.toLowerCase()) ? undefined : architectures.join(', ');
}

/** Expected levels; undefined if the given one is possible. @param architecture requested instruction set */
export function wantedLevel(level: string, architecture: string | null | undefined): string | undefined {
  if (!levels.has(level)) return architectureLevels.join(', ');
  if (architecture == null || ofIntel.has(architecture.toLowerCase())) return undefined;
  return `absent with architecture ${architecture}: only x86_64 has levels`;
}
