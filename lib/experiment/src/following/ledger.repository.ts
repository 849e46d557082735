/** Records events: positions, the sums of their submissions, and the cursor, together. */
import type { Clock } from '@rhizome/clock';
import { collection, type CollectionDefinition } from '@rhizome/mongo';
import type { AnyBulkWriteOperation, ClientSession, Collection, Db, Filter, UpdateFilter } from 'mongodb';
import { coreIdOf, type SubmissionDocument } from '../submissions/submission.document.js';
import { isNews, type JobFact, newestOf, outcomeOf } from './job-fact.js';
import {
  type JobOutcome,
  jobStatesCollection,
  type JobStateDocument,
  positionId,
  streamPlacesCollection,
  type StreamPlaceDocument,
} from './job-state.document.js';
import { nextRuns, type NodeRuns, newestOfJobs } from './node-run.js';
import { type NodeRun, nodeStatesCollection, type NodeStateDocument } from './node-state.document.js';
import { maxDeadLetters, deadLettersCollection, type DeadLetterDocument } from './dead-letter.document.js';

/** Amounts by name; what is left out counts for nothing. */
export type Amounts = Readonly<Record<string, number | undefined>>;

/**
 * Contribution of the job at a position to the sums once it has ended, by name of the sum (`amounts`). Pure.
 */
export type AmountsOf<T extends SubmissionDocument> = (
  submission: T,
  index: number,
  outcome: 'FINISHED' | 'LOST',
) => Amounts;

/** A new state of the job of a node. */
export interface NodeNews<T extends SubmissionDocument> {
  readonly submission: T;
  /** Position of the node. */
  readonly index: number;
  readonly run: NodeRun;
}

/**
 * Writes what an experiment derives from new states of jobs, in the transaction that records them: each takes
 * effect once.
 */
export type Alongside<T extends SubmissionDocument> = (
  news: readonly NodeNews<T>[],
  session: ClientSession,
) => Promise<void>;

/** Dependencies of {@link Ledger}. */
export interface LedgerOptions<T extends SubmissionDocument> {
  readonly db: Db;
  readonly definition: CollectionDefinition<T>;
  readonly amountsOf: AmountsOf<T>;
  readonly alongside?: Alongside<T> | undefined;
  readonly clock: Clock;
}

/** The one stream that is followed. */
const stream = 'jobStateChanged';
/** Positions read or written at once. */
const maxPositions = 1000;

const majority = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } } as const;

interface News {
  readonly fact: JobFact;
  readonly before: JobOutcome;
  readonly after: JobOutcome;
}

export class Ledger<T extends SubmissionDocument> {
  readonly #options: LedgerOptions<T>;
  readonly #submissions: Collection<T>;
  readonly #positions: Collection<JobStateDocument>;
  readonly #nodes: Collection<NodeStateDocument>;
  readonly #streams: Collection<StreamPlaceDocument>;
  readonly #deadLetters: Collection<DeadLetterDocument>;

  constructor(options: LedgerOptions<T>) {
    this.#options = options;
    this.#submissions = collection(options.db, options.definition);
    this.#positions = collection(options.db, jobStatesCollection);
    this.#nodes = collection(options.db, nodeStatesCollection);
    this.#streams = collection(options.db, streamPlacesCollection);
    this.#deadLetters = collection(options.db, deadLettersCollection);
  }

  /** The cursor up to which events were taken in; null before the first, or after it was forgotten. */
  async cursor(): Promise<string | null> {
    const cursor = (await this.#streams.findOne({ _id: stream }))?.cursor;
    return cursor === undefined || cursor === '' ? null : cursor;
  }

  /** Number of dead letters so far. */
  async deadLetterCount(): Promise<number> {
    return (await this.#streams.findOne({ _id: stream }))?.parked ?? 0; // cspell:disable-line
  }

  /**
   * Stores an unreadable event as a dead letter and moves the cursor behind it, in one transaction: it is
   * skipped and counted once. The oldest above the limit are deleted.
   * @returns number of dead letters so far
   */
  async addDeadLetter(
    event: Omit<DeadLetterDocument, 'schemaVersion' | 'revision' | 'createdAt'>,
  ): Promise<number> {
    const createdAt = this.#options.clock.now();
    const { schemaVersion } = deadLettersCollection;
    await this.#options.db.client.withSession((session) =>
      session.withTransaction(async () => {
        const { _id, ...rest } = event;
        const fresh = { ...rest, schemaVersion, revision: 1, createdAt };
        await this.#deadLetters.updateOne({ _id }, { $setOnInsert: fresh }, { upsert: true, session });
        await this.#moveTo(_id, session, { parked: 1 }); // cspell:disable-line
      }, majority),
    );
    const spare = await this.#deadLetters
      .find({}, { projection: { _id: 1 }, sort: { createdAt: -1 }, skip: maxDeadLetters })
      .toArray();
    if (spare.length > 0) await this.#deadLetters.deleteMany({ _id: { $in: spare.map(({ _id }) => _id) } });
    return this.deadLetterCount();
  }

  /** Deletes the cursor: the stream no longer reaches back to it. */
  async forgetCursor(): Promise<void> {
    await this.#streams.updateOne(
      { _id: stream },
      { $set: { cursor: '' } },
      { writeConcern: { w: 'majority' } },
    );
  }

  /**
   * Records facts in one transaction with the cursor after them. A fact that is not new changes nothing, so
   * the same facts may be repeated in any order. Facts about jobs of other tasks or workflows, or of no
   * submission, are ignored.
   */
  async record(facts: readonly JobFact[], cursor?: string): Promise<void> {
    if (facts.length === 0 && cursor === undefined) return;
    await this.#options.db.client.withSession((session) =>
      session.withTransaction(async () => {
        for (let at = 0; at < facts.length; at += maxPositions) {
          await this.#record(facts.slice(at, at + maxPositions), session);
        }
        if (cursor !== undefined) await this.#moveTo(cursor, session);
      }, majority),
    );
  }

  /** Outcome of each position; WAITING if nothing is known. */
  async outcomes(
    positions: readonly { readonly submissionId: string; readonly index: number }[],
  ): Promise<readonly JobOutcome[]> {
    const ids = positions.map(({ submissionId, index }) => positionId(submissionId, index));
    const found = await this.#positions.find({ _id: { $in: ids } }, { projection: { outcome: 1 } }).toArray();
    const known = new Map(found.map(({ _id, outcome }) => [_id, outcome]));
    return ids.map((id) => known.get(id) ?? 'WAITING');
  }

  /** Nodes of a workflow that have or had a job, in order. @param to position behind the last */
  async nodeStates(submissionId: string, from: number, to: number): Promise<readonly NodeStateDocument[]> {
    const _id = { $gte: positionId(submissionId, from), $lt: positionId(submissionId, to) };
    return this.#nodes.find({ _id }, { sort: { _id: 1 } }).toArray();
  }

  async #record(facts: readonly JobFact[], session: ClientSession): Promise<void> {
    const submissions = await this.#submissionsOf(facts, session);
    const own = facts.filter((fact) => belongs(fact, submissions.get(fact.submissionId)));
    await this.#recordRuns(own, submissions, session);
    const newest = newestOf(own, ({ submissionId, index }) => positionId(submissionId, index));
    const found = await this.#positions.find({ _id: { $in: [...newest.keys()] } }, { session }).toArray();
    const known = new Map(found.map((position) => [position._id, position]));
    const news = new Map<string, News>();
    for (const [id, fact] of newest) {
      const before = known.get(id);
      if (!isNews(fact, before)) continue;
      news.set(id, { fact, before: before?.outcome ?? 'WAITING', after: outcomeOf(fact.state) });
    }
    if (news.size === 0) return;
    await this.#positions.bulkWrite(this.#positionWrites(news), { session });
    const sums = this.#sumWrites([...news.values()], submissions);
    if (sums.length > 0) await this.#submissions.bulkWrite(sums, { session });
  }

  /** Keeps the newest job of each node, and raises the revisions of the submissions of which one changed. */
  async #recordRuns(
    facts: readonly JobFact[],
    submissions: ReadonlyMap<string, T>,
    session: ClientSession,
  ): Promise<void> {
    const runs = new Map<string, NodeNews<T>[]>();
    for (const { submissionId, index, run } of facts) {
      const id = positionId(submissionId, index);
      const submission = submissions.get(submissionId);
      if (!submission || !run) continue;
      const others = runs.get(id);
      if (others) others.push({ submission, index, run });
      else runs.set(id, [{ submission, index, run }]);
    }
    if (runs.size === 0) return;
    const found = await this.#nodes.find({ _id: { $in: [...runs.keys()] } }, { session }).toArray();
    const known = new Map(found.map((node) => [node._id, node]));
    const updatedAt = this.#options.clock.now();
    const { schemaVersion } = nodeStatesCollection;
    const changed = new Set<string>();
    const news: NodeNews<T>[] = [];
    const writes = [...runs].flatMap(([_id, ofNode]) => {
      const old = known.get(_id);
      let node: NodeRuns | undefined = old;
      // One job after another: what the earlier ones took does not depend on what came together.
      for (const one of newestOfJobs(ofNode)) {
        const next = nextRuns(node, one.run);
        if (next && next.run === one.run) news.push(one);
        node = next ?? node;
      }
      if (!node || node === old) return [];
      for (const { submission } of ofNode) changed.add(submission._id);
      const { run, before, spent } = node;
      const update = {
        $set: { run, updatedAt, ...(before ? { before } : {}), ...(spent ? { spent } : {}) },
        $setOnInsert: { schemaVersion },
        $inc: { revision: 1 },
      };
      return [{ updateOne: { filter: { _id }, update, upsert: true } }];
    });
    if (writes.length === 0) return;
    await this.#nodes.bulkWrite(writes, { session });
    const filter = { _id: { $in: [...changed] } } as unknown as Filter<T>;
    const touch = {
      $inc: { revision: 1 },
      $set: { updatedAt },
      $unset: { workflowEnd: '' },
    } as unknown as UpdateFilter<T>;
    await this.#submissions.updateMany(filter, touch, { session });
    await this.#options.alongside?.(news, session);
  }

  async #submissionsOf(facts: readonly JobFact[], session: ClientSession): Promise<ReadonlyMap<string, T>> {
    const ids = [...new Set(facts.map(({ submissionId }) => submissionId))];
    const found = (await this.#submissions
      .find({ _id: { $in: ids } } as unknown as Filter<T>, { session })
      .toArray()) as T[];
    return new Map(found.map((submission) => [submission._id, submission]));
  }

  #positionWrites(news: ReadonlyMap<string, News>): AnyBulkWriteOperation<JobStateDocument>[] {
    const updatedAt = this.#options.clock.now();
    return [...news].map(([_id, { fact, after }]) => ({
      updateOne: {
        filter: { _id },
        update: {
          $set: { outcome: after, jobId: fact.jobId, jobRevision: fact.revision, updatedAt },
          $setOnInsert: { schemaVersion: jobStatesCollection.schemaVersion },
          $inc: { revision: 1 },
        },
        upsert: true,
      },
    }));
  }

  /** One write per submission whose sums change. */
  #sumWrites(news: readonly News[], submissions: ReadonlyMap<string, T>): AnyBulkWriteOperation<T>[] {
    const updatedAt = this.#options.clock.now();
    const writes: AnyBulkWriteOperation<T>[] = [];
    const bySubmission = new Map<string, News[]>();
    for (const one of news) {
      const others = bySubmission.get(one.fact.submissionId);
      if (others) others.push(one);
      else bySubmission.set(one.fact.submissionId, [one]);
    }
    for (const [id, submission] of submissions) {
      const worth: Worth = (index, outcome) => this.#options.amountsOf(submission, index, outcome);
      const sums = sumsOf(bySubmission.get(id) ?? [], worth);
      if (Object.keys(sums).length === 0) continue;
      const finished = submission.finishedJobs + (sums['finishedJobs'] ?? 0);
      // Until the submitter has stored core's answer, it owns the stage.
      const stage =
        submission.stage === 'SUBMITTING'
          ? 'SUBMITTING'
          : finished === submission.totalJobs
            ? 'DONE'
            : 'OPEN';
      const update = { $inc: { ...sums, revision: 1 }, $set: { updatedAt, stage } };
      writes.push({ updateOne: { filter: { _id: id }, update } } as unknown as AnyBulkWriteOperation<T>);
    }
    return writes;
  }

  async #moveTo(
    cursor: string,
    session: ClientSession,
    more: { readonly parked?: 1 } = {}, // cspell:disable-line
  ): Promise<void> {
    const { schemaVersion } = streamPlacesCollection;
    await this.#streams.updateOne(
      { _id: stream },
      {
        $set: { cursor, updatedAt: this.#options.clock.now() },
        $setOnInsert: { schemaVersion },
        $inc: { revision: 1, ...more },
      },
      { upsert: true, session },
    );
  }
}

/** Anyone can set a label: the task or workflow must be that of the submission, once it is known. */
function belongs({ coreId, index }: JobFact, submission: SubmissionDocument | undefined): boolean {
  if (!submission || index < 0 || index >= submission.totalJobs) return false;
  const known = coreIdOf(submission);
  return known === undefined || known === coreId;
}

type Worth = (index: number, outcome: 'FINISHED' | 'LOST') => Amounts;

/** Amounts added to the sums of one submission; zeros are left out. */
function sumsOf(news: readonly News[], worth: Worth): Record<string, number> {
  const sums = new Map<string, number>();
  const add = (name: string, amount: number): void => void sums.set(name, (sums.get(name) ?? 0) + amount);
  const count = (index: number, outcome: JobOutcome, sign: 1 | -1): void => {
    if (outcome === 'WAITING') return;
    add(outcome === 'FINISHED' ? 'finishedJobs' : 'lostJobs', sign);
    for (const [name, amount] of Object.entries(worth(index, outcome)))
      add(`amounts.${name}`, sign * (amount ?? 0));
  };
  for (const { fact, before, after } of news) {
    count(fact.index, before, -1);
    count(fact.index, after, 1);
  }
  return Object.fromEntries([...sums].filter(([, amount]) => amount !== 0));
}
