/** Queues that a downtime concerns, and rights to change it. */
import { assertCan, type Principal } from '@rhizome/authz';
import type { InputErrors, InputPath } from '@rhizome/errors';
import type { QueueDocument } from '../queue.document.js';
import type { QueuesService } from '../queues.service.js';
import type { DowntimeDocument, DowntimeTarget } from './downtime.document.js';
import type { DowntimeProblemCode, TargetInput } from './downtime-input.js';

type Queues = Pick<QueuesService, 'allFresh' | 'isVisible' | 'assertOperates'>;

/** Finds queues of downtimes in one reading of all queues. */
export class DowntimeTargets {
  readonly #queues: Queues;
  readonly #principal: Principal;
  readonly #all: readonly QueueDocument[];

  private constructor(queues: Queues, principal: Principal, all: readonly QueueDocument[]) {
    this.#queues = queues;
    this.#principal = principal;
    this.#all = all;
  }

  static async read(queues: Queues, principal: Principal): Promise<DowntimeTargets> {
    return new DowntimeTargets(queues, principal, await queues.allFresh());
  }

  /** Queues that are down, by name. */
  of({ queue, site }: DowntimeTarget): readonly QueueDocument[] {
    const found = this.#all.filter((one) => (queue === null ? one.site === site : one.name === queue));
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** True if the principal may see a queue that is down. */
  isVisible(target: DowntimeTarget): boolean {
    return this.of(target).some((queue) => this.#queues.isVisible(queue, this.#principal));
  }

  /**
   * The named queue or site; undefined, and an error, if the principal sees none.
   * @throws DomainError FORBIDDEN if the principal does not operate all queues that would be down
   */
  named(
    errors: InputErrors<DowntimeProblemCode>,
    path: InputPath,
    { queue, site }: TargetInput,
  ): DowntimeTarget | undefined {
    const target = { queue: queue ?? null, site: queue == null ? (site ?? null) : null };
    if (!this.isVisible(target)) {
      const [code, member, what] =
        target.queue === null
          ? (['SITE_NOT_FOUND', 'site', `Site "${target.site}"`] as const)
          : (['QUEUE_NOT_FOUND', 'queue', `Queue "${target.queue}"`] as const);
      errors.report(code, [...path, 'target', member], `${what} not found, or you may not see it.`);
      return undefined;
    }
    this.assertOperates(target);
    return target;
  }

  /** @throws DomainError FORBIDDEN if the principal does not operate all queues that are down */
  assertOperates(target: Pick<DowntimeDocument, 'queue' | 'site'>): void {
    const queues = this.of(target);
    if (queues.length === 0) assertCan(this.#principal, 'queue:setState', '*');
    for (const queue of queues) this.#queues.assertOperates(this.#principal, queue);
  }
}
