/** Changes of tasks, for people. */
import type { CliTaskChangeFragment } from '../../operations.generated.js';

/** One line about the values of a change. */
export function valuesText({ values }: Pick<CliTaskChangeFragment, 'values'>): string {
  const name = (field: string): string => field.toLowerCase().replaceAll('_', ' ').replace(/ mib$/, ' MiB');
  return values
    .map(({ field, before, after }) => {
      const without = field === 'QUEUE' ? 'any' : 'none';
      return `${name(field)} ${before ?? without} to ${after ?? without}`;
    })
    .join(', ');
}

/** One line about a change of a task. */
export function changeText(change: CliTaskChangeFragment): string {
  const { by, at, reason, changedJobCount, keptJobCount, endedAt } = change;
  const why = reason === null ? '' : `: ${reason}`;
  const kept = keptJobCount > 0 ? `, ${keptJobCount} kept their requirements` : '';
  const progress = `${changedJobCount} jobs changed${endedAt === null ? ' so far' : ''}${kept}`;
  return `${valuesText(change)}, by ${by.subject} at ${at}${why}; ${progress}`;
}
