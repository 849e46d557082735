/** Applies file policies: marks copies whose time is over. Runs on the leader; every step may be repeated. */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import { addTotals, type DeletionMarker, type DeletionTotals, noTotals } from './deletion-marker.js';
import type { FilePoliciesRepository } from './file-policies.repository.js';
import type { FilePolicyDocument } from './file-policy.document.js';
import type { PolicyScan } from './policy-scan.js';

/** Dependencies of {@link PolicyWork}. */
export interface PolicyWorkOptions {
  readonly policies: Pick<FilePoliciesRepository, 'due' | 'applied' | 'isCurrent'>;
  readonly scan: PolicyScan;
  readonly marker: Pick<DeletionMarker, 'mark'>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Interval in milliseconds at which due policies are looked for. */
  readonly everyMs: number;
}

const policiesAtOnce = 100;
/** Time between two applications of a policy, in milliseconds. */
const applyMs = 3_600_000;

/** The work of the leader. */
export class PolicyWork {
  readonly #options: PolicyWorkOptions;
  readonly #task: LeaderTask;

  constructor(options: PolicyWorkOptions) {
    this.#options = options;
    const { leader, log, everyMs } = options;
    const failed = (err: unknown): void => log.warn({ err }, 'file policies not applied');
    this.#task = new LeaderTask(
      leader,
      (signal) => repeat(() => this.#round(signal), everyMs, signal, failed),
      log,
    );
  }

  start(): void {
    this.#task.start();
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { policies, clock } = this.#options;
    for (const policy of await policies.due(clock.now(), policiesAtOnce)) {
      if (signal.aborted) return;
      await this.#apply(policy, signal);
    }
  }

  async #apply(policy: FilePolicyDocument, signal: AbortSignal): Promise<void> {
    const { policies, clock, log } = this.#options;
    const at = clock.now();
    const nextAt = new Date(at.getTime() + applyMs);
    let totals: DeletionTotals | undefined;
    try {
      totals = await this.#mark(policy, signal);
    } catch (err) {
      // It is tried again with the others that are due then: none waits for it.
      log.warn({ err, policy: policy._id }, 'file policy not applied');
    }
    // Of an aborted term, the next leader begins again; marked copies are passed over.
    if (signal.aborted) return;
    const { copies, bytes, keptFiles } = totals ?? noTotals;
    await policies.applied(policy, nextAt, totals && { at, copies, bytes, keptFiles });
    if (copies > 0) log.info({ policy: policy._id, copies, bytes, keptFiles }, 'file policy applied');
  }

  async #mark(policy: FilePolicyDocument, signal: AbortSignal): Promise<DeletionTotals> {
    const { policies, scan, marker, log } = this.#options;
    const { _id, experiment, versions } = policy;
    const [version] = versions;
    let totals = noTotals;
    if (!version?.isEnabled) return totals;
    const { rules, author } = version;
    const deletion = { by: author, policy: { id: _id, version: version.version } };
    const { restoreDays } = rules;
    for await (const part of scan.parts(experiment, rules)) {
      // A change, such as that it is disabled, counts at once.
      if (signal.aborted || !(await policies.isCurrent(policy))) return totals;
      const marked = await marker.mark(part.map((selected) => ({ ...selected, deletion, restoreDays })));
      if (marked) totals = marked.reduce(addTotals, totals);
      else
        log.warn({ policy: _id, datasets: part.length }, 'users of files not found in time; files are kept');
    }
    return totals;
  }
}
