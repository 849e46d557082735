/** Longest walltime of a job, in seconds: 400 days, in a queue that allows it. */
export const longestWalltimeSeconds = 34_560_000;

/** Longest walltime in a queue without a limit of its own, in seconds: 30 days. */
export const usualLongestWalltimeSeconds = 2_592_000;

/** Longest walltime that a queue allows, in seconds. */
export function allowedWalltimeSeconds({
  limits,
}: {
  readonly limits: { readonly maxWalltimeSeconds?: number };
}): number {
  return limits.maxWalltimeSeconds ?? usualLongestWalltimeSeconds;
}
