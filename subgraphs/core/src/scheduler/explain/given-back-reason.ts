/** Explains which attempts of a job were given back. Pure. */
import { firstOf, plural } from '../../shared/plural.js';
import type { WaitingJob } from './pending.types.js';

/** Most hosts that are named. */
const mostNamed = 3;

/** Attempts that do not count because their hosts were excluded; undefined if there are none. */
export function givenBackReason({ attempts = [] }: Pick<WaitingJob, 'attempts'>): string | undefined {
  const given = attempts.filter(({ uncounted }) => uncounted === 'BAD_HOST');
  if (given.length === 0) return undefined;
  const hosts = [...new Set(given.flatMap(({ host }) => host ?? []))];
  const verb = given.length === 1 ? 'does' : 'do';
  return `${plural(given.length, 'failed attempt')} ${verb} not count: core excluded ${firstOf(hosts, mostNamed)} because of such failures.`;
}
