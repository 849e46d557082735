/**
 * Flags of /proc/cpuinfo that each level adds, by the x86-64 psABI. The kernel's names differ from the
 * document's: `pni` is SSE3, `abm` is LZCNT, `xsave` stands for OSXSAVE.
 */
const levels: readonly (readonly [level: string, flags: readonly string[]])[] = [
  ['x86-64-v1', ['lm', 'cmov', 'cx8', 'fpu', 'fxsr', 'mmx', 'syscall', 'sse', 'sse2']],
  ['x86-64-v2', ['cx16', 'lahf_lm', 'popcnt', 'pni', 'sse4_1', 'sse4_2', 'ssse3']],
  ['x86-64-v3', ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave']],
  ['x86-64-v4', ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl']],
];

/**
 * The highest level whose flags, and those of all lower levels, are present; null if the flags are unknown or
 * below v1.
 */
export function levelOfX86(flags: string | undefined): string | null {
  const present = new Set(flags?.split(/\s+/));
  let reached: string | null = null;
  for (const [level, needed] of levels) {
    if (!needed.every((flag) => present.has(flag))) break;
    reached = level;
  }
  return reached;
}
