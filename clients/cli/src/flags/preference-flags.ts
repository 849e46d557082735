/** Preferences of jobs: the flag of `submit`, and what `show` and `why` print. */
import { InvalidArgumentError } from 'commander';
import type { JobPreferenceInput } from '../operations.generated.js';
import { type Output, printLine } from '../output.js';

const form = /^(?:(\d{1,3}):)?(.+)$/s;

/** Collects `[weight:]expression`. */
export function collectPreference(
  text: string,
  earlier: readonly JobPreferenceInput[],
): readonly JobPreferenceInput[] {
  const [, weight, expression] = form.exec(text.trim()) ?? [];
  if (expression === undefined)
    throw new InvalidArgumentError(
      `must be a CEL expression, with a weight or without, such as 3:worker.cpuVendor == "AMD"`,
    );
  return [...earlier, { expression, ...(weight !== undefined && { weight: Number(weight) }) }];
}

/** An attempt with the preferences that its worker met. */
export interface PreferredAttempt {
  readonly number: number;
  readonly preferenceScore: number | null;
  readonly metPreferences: readonly number[];
}

/** Prints how well the workers of the attempts met the preferences of the job. */
export function printPreferences(
  output: Output,
  preferences: readonly { readonly expression: string; readonly weight: number }[],
  attempts: readonly PreferredAttempt[],
): void {
  const total = preferences.reduce((sum, { weight }) => sum + weight, 0);
  for (const { number, preferenceScore: score, metPreferences } of attempts) {
    if (score === null) continue;
    const terms = preferences.map(
      ({ expression, weight }, at) =>
        `${metPreferences.includes(at) ? '+' : '-'}${percent(weight / total)} ${expression}`,
    );
    printLine(
      output,
      `The worker of attempt ${number} meets ${percent(score)} of the preferences: ${terms.join('; ')}`,
    );
  }
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
