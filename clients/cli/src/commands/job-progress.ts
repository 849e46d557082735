/** Progress of a job as text. */
import type { CliProgressFragment } from '../operations.generated.js';

/** A part of one as percentage. */
export function percent(fraction: number): string {
  return `${Math.round(fraction * 1000) / 10} %`;
}

/** Completed part, step, rate and expected end, without those that are not known. */
export function progressText(progress: CliProgressFragment): string {
  const { fraction, step, fractionPerHour, expectedEndAt, reportedAt } = progress;
  return [
    fraction === null ? '' : percent(fraction),
    step === null ? '' : `step ${step}`,
    fractionPerHour === null ? '' : `${percent(fractionPerHour)} an hour`,
    expectedEndAt === null ? '' : `expected end ${expectedEndAt}`,
    `reported ${reportedAt}`,
  ]
    .filter((part) => part !== '')
    .join(', ');
}
