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
  preferences: readonly { readonly expression: string }[],
  attempts: readonly PreferredAttempt[],
): void {
  for (const { number, preferenceScore: score, metPreferences } of attempts) {
    if (score === null) continue;
    const met = metPreferences.flatMap((at) => preferences[at]?.expression ?? []);
    const which = met.length === 0 ? '' : `: ${met.join('; ')}`;
    printLine(
      output,
      `The worker of attempt ${number} meets ${Math.round(score * 100)} % of the preferences${which}`,
    );
  }
}
