/**
 * The words for instruction sets and their levels that workers report: a job that asks for another one would wait for ever. Pure data.
 */

/** Instruction sets as the kernel calls them. */
const architectures = ['x86_64', 'aarch64', 'i686', 'ppc64le', 'riscv64', 's390x'] as const;

/** Other words for some of them that the broker understands. */
const aliases: readonly string[] = ['amd64', 'x86-64', 'arm64'];

/** Levels of `x86_64`, the only instruction set that has names for them. */
const architectureLevels = ['x86-64-v1', 'x86-64-v2', 'x86-64-v3', 'x86-64-v4'] as const;

/** In the place of a container runtime: whichever the worker has. */
export const anyRuntime = 'any';

const known: ReadonlySet<string> = new Set([...architectures, ...aliases]);
const levels: ReadonlySet<string> = new Set(architectureLevels);
const ofIntel: ReadonlySet<string> = new Set(['x86_64', 'amd64', 'x86-64']);

/** What would be right in the place of an instruction set; undefined where it is known. Letters count alike, small or capital. */
export function wantedArchitecture(word: string): string | undefined {
  return known.has(word.toLowerCase()) ? undefined : architectures.join(', ');
}

/** What would be right in the place of a level; undefined where it can be met. @param architecture asked for beside it */
export function wantedLevel(level: string, architecture: string | null | undefined): string | undefined {
  if (!levels.has(level)) return architectureLevels.join(', ');
  if (architecture == null || ofIntel.has(architecture.toLowerCase())) return undefined;
  return `absent with the architecture ${architecture}: only x86_64 has levels`;
}
