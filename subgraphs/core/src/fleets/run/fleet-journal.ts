/**
 * Serialises the changes of each fleet. A decision is recorded in the fleet, with the jobs that it starts, if
 * no other change was recorded since the fleet was read, and then carried out. A process that finds a
 * decision which is not carried out does so first. So any process may change a fleet, and may end at any
 * point.
 */
import type { Clock } from '@rhizome/clock';
import { TurnsByKey } from '@rhizome/retry';
import { isHeld, type JobState } from '../../jobs/model/job-state.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { insertBatches } from '../../jobs/submit/insert-batches.js';
import { cancelJobs, type CancelOptions } from '../../jobs/transitions/cancel-jobs.js';
import { retention } from '../../shared/retention.js';
import { decisionIdOf } from '../model/decision.document.js';
import type { FleetDocument } from '../model/fleet.document.js';
import type { DecisionFacts, FleetMember, OpenDecision } from '../model/fleet.types.js';
import type { DecisionsRepository } from '../store/decisions.repository.js';
import type { FleetPatch, FleetsRepository } from '../store/fleets.repository.js';
import { fleetJobs, newMembers } from './fleet-jobs.js';

/** Dependencies of {@link FleetJournal}. */
export interface FleetJournalOptions extends Pick<CancelOptions, 'writer'> {
  readonly fleets: Pick<FleetsRepository, 'find' | 'record' | 'applied'>;
  readonly decisions: Pick<DecisionsRepository, 'insert'>;
  readonly jobs: Pick<JobsRepository, 'insertNew' | 'find'>;
  readonly clock: Clock;
}

/** Decision about a fleet, with the jobs that it concerns. */
export interface NewDecision extends Omit<DecisionFacts, 'started' | 'released' | 'cancelled'> {
  /** Queues of the jobs to start; '' for any queue. */
  readonly start?: readonly string[];
  readonly release?: readonly string[];
  /** Jobs that wait to run: those that run by then are released instead. */
  readonly cancel?: readonly string[];
  /** Jobs that are cancelled even if they run. */
  readonly overdue?: readonly string[];
}

/** Change of a fleet. */
export interface FleetChange {
  /** Absent if the change is not shown. */
  readonly decision?: NewDecision;
  /** Changed fields. `members` are those before the decision. */
  readonly patch: FleetPatch;
}

/** Decides about the next change of a fleet; undefined for none. */
export type DecideFleet = (fleet: FleetDocument) => FleetChange | undefined;

/** Changes fleets. */
export class FleetJournal {
  readonly #options: FleetJournalOptions;
  /** Changes by fleet: those of one process need not compete. */
  readonly #turns = new TurnsByKey();

  constructor(options: FleetJournalOptions) {
    this.#options = options;
  }

  /**
   * Makes one change. Its decision is carried out by the time the call ends.
   * @returns the fleet afterwards; null if it does not exist
   */
  change(id: string, decide: DecideFleet): Promise<FleetDocument | null> {
    return this.#turns.run(id, () => this.#change(id, decide));
  }

  async #change(id: string, decide: DecideFleet): Promise<FleetDocument | null> {
    const { fleets, clock } = this.#options;
    for (;;) {
      const fleet = await fleets.find(id);
      if (!fleet) return null;
      // Carried out even if the process that recorded it is at it: repeated writes change nothing.
      const released = fleet.open ? await this.#carryOut(fleet, fleet.open) : [];
      if (released.length > 0) {
        await fleets.applied(fleet, released, clock.now());
        continue;
      }
      const wanted = decide(fleet);
      const now = clock.now();
      if (!wanted) {
        if (fleet.open) await fleets.applied(fleet, [], now);
        return fleet;
      }
      const { decision, patch } = recorded(fleet, wanted, now);
      const changed = await fleets.record(fleet, decision, patch, now);
      if (!changed) continue;
      if (!changed.open) return changed;
      await fleets.applied(changed, await this.#carryOut(changed, changed.open), clock.now());
      return changed;
    }
  }

  /** @returns the jobs that were to be cancelled while they waited, but run */
  async #carryOut(fleet: FleetDocument, open: OpenDecision): Promise<readonly string[]> {
    const { decisions, jobs, clock } = this.#options;
    const { start: _start, cancel, overdue, at, ...facts } = open;
    await decisions.insert({
      _id: decisionIdOf(fleet._id, fleet.step),
      schemaVersion: 1,
      fleetId: fleet._id,
      ...facts,
      at,
      expiresAt: new Date(at.getTime() + retention.fleetDecision * 1000),
    });
    for (const batch of insertBatches(fleetJobs(fleet, open, clock.now()))) await jobs.insertNew(batch);
    await this.#cancel(fleet, overdue, open);
    return this.#cancel(fleet, cancel, open, isHeld);
  }

  #cancel(
    { name }: Pick<FleetDocument, 'name'>,
    jobIds: readonly string[],
    { by: actor, message }: Pick<DecisionFacts, 'by' | 'message'>,
    isKept?: (state: JobState) => boolean,
  ): Promise<readonly string[]> {
    const owner = `fleet "${name}"`;
    const reason = `Fleet "${name}": ${message}`.slice(0, 500);
    const reasons = new Map(jobIds.map((id) => [id, reason]));
    return cancelJobs(this.#options, { reasons, actor, owner, isKept });
  }
}

/** The stored form of a change, with the members after it. */
function recorded(
  fleet: FleetDocument,
  { decision, patch }: FleetChange,
  now: Date,
): { readonly decision: OpenDecision | undefined; readonly patch: FleetPatch } {
  if (!decision) return { decision: undefined, patch };
  const { start = [], release = [], cancel = [], overdue = [], ...rest } = decision;
  const facts = {
    ...rest,
    started: start.length,
    released: release.length,
    cancelled: cancel.length + overdue.length,
  };
  const open: OpenDecision = { ...facts, at: now, start, cancel, overdue };
  const template = patch.template ?? fleet.template;
  const leaving = new Set(release);
  const kept = (patch.members ?? fleet.members).map((member): FleetMember =>
    leaving.has(member.id) ? { ...member, releasedAt: now } : member,
  );
  const members = [...kept, ...newMembers(fleet._id, fleet.step + 1, open, template)];
  return { decision: open, patch: { ...patch, members, latest: { ...facts, at: now } } };
}
