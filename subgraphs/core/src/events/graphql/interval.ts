import { badInput } from '@rhizome/errors';

const usualMs = 1000;
const shortestIntervalMs = 100;
const longestIntervalMs = 60_000;

/** The interval of a stream, or the usual one. @throws DomainError BAD_USER_INPUT */
export function checkedInterval(
  intervalMs: number | null | undefined,
  shortestMs = shortestIntervalMs,
): number {
  const given = intervalMs ?? usualMs;
  if (given >= shortestMs && given <= longestIntervalMs) return given;
  throw badInput('intervalMs', given, `${shortestMs} to ${longestIntervalMs}`);
}
