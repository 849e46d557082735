/**
 * Claim of a restore on the databases that it writes. The mark of each names the run that has it, and until
 * when; the run renews it. A second run of the same restore waits for nobody and is refused, so that no run
 * drops what another one has just written.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type RestoreMark, restoreMarks } from '@rhizome/mongo';
import type { Db, UpdateFilter } from 'mongodb';
import { DeploymentError } from '../deployment-error.js';
import type { RestoreTarget } from './restore-target.js';

/** Facts of the run that are written into the mark. */
export interface ClaimOptions {
  /** SHA-256 of the manifest. */
  readonly manifest: string;
  readonly startedAt: Date;
  /** The databases get other names than in the backup. */
  readonly isCopy: boolean;
}

/** Time without a renewal after which a run has lost its claim, in milliseconds. */
const claimMs = 30_000;
const majority = { writeConcern: { w: 'majority' } } as const;

/** The claim of one run. */
export class RestoreClaim {
  readonly #owner = `${hostname()}/${process.pid}/${randomUUID()}`;
  readonly #lost = new AbortController();
  readonly #claimed: Db[] = [];
  #renewal: NodeJS.Timeout | undefined;

  /** Aborted when another process has taken a database over, or the claim could not be renewed. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Marks all databases, before anything is written to one of them.
   * @returns the collections that are complete, by name of the database
   * @throws DeploymentError if another run has one of them, or it was changed since the plan was made
   */
  async take(
    targets: readonly RestoreTarget[],
    options: ClaimOptions,
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const done = new Map<string, readonly string[]>();
    for (const target of targets) {
      const mark = await this.#mark(target, options);
      if (mark?.owner !== this.#owner) throw claimedError(target.db, mark);
      this.#claimed.push(target.db);
      this.#renewal ??= setInterval(() => void this.#renew(), claimMs / 3);
      done.set(target.db.databaseName, mark.done);
    }
    return done;
  }

  /** Records that documents may be removed from now on. @throws DeploymentError if another run has a mark */
  async begin(): Promise<void> {
    for (const db of this.#claimed) await this.update(db, { $unset: { replaces: '' } });
  }

  /** Changes the mark of a database. @throws DeploymentError if it is no longer that of this run */
  async update(db: Db, change: UpdateFilter<RestoreMark>): Promise<void> {
    const filter = { _id: 'restore', state: 'RUNNING', owner: this.#owner } as const;
    const { matchedCount } = await restoreMarks(db).updateOne(filter, change, majority);
    if (matchedCount === 0) throw lostError(db);
  }

  /**
   * Ends the restore: services may start. A run that is killed in it is continued, since each mark says that
   * all databases are complete before the first mark is lifted.
   */
  async complete(): Promise<void> {
    const complete = this.#claimed.map(({ databaseName }) => databaseName);
    for (const db of this.#claimed) await this.update(db, { $set: { complete } });
    clearInterval(this.#renewal);
    for (const db of this.#claimed)
      await this.update(db, {
        $set: { state: 'RESTORED' },
        $unset: { owner: '', expiresAt: '', complete: '' },
      });
  }

  /** Lets another run take the databases at once that are still marked, and services start on intact ones. */
  async release(): Promise<void> {
    clearInterval(this.#renewal);
    for (const db of this.#claimed)
      // The mark ends by itself; the error that ended the run says more.
      await this.#release(db).catch(() => undefined);
  }

  /** Puts back what a mark has replaced, if nothing was removed. */
  async #release(db: Db): Promise<void> {
    const marks = restoreMarks(db);
    const own = { _id: 'restore', state: 'RUNNING', owner: this.#owner } as const;
    const mark = await marks.findOne(own);
    if (mark?.replaces)
      await marks.replaceOne({ ...own, replaces: { $exists: true } }, mark.replaces, majority);
    else if (mark?.replaces === null)
      await marks.deleteOne({ ...own, replaces: { $type: 'null' } }, majority);
    else await marks.updateOne(own, { $unset: { owner: '', expiresAt: '' } });
  }

  async #renew(): Promise<void> {
    try {
      for (const db of this.#claimed) {
        const filter = { _id: 'restore', owner: this.#owner } as const;
        const renewed = [{ $set: { expiresAt: { $add: ['$$NOW', claimMs] } } }];
        const { matchedCount } = await restoreMarks(db).updateOne(filter, renewed, majority);
        if (matchedCount === 0) this.#lost.abort(lostError(db));
      }
    } catch {
      // Each write of the mark asks for the owner; a run that was not renewed in time ends there.
    }
  }

  /** Takes or refuses the mark in one update, by the clock of the server. */
  #mark({ db, mark, isReplaced }: RestoreTarget, options: ClaimOptions): Promise<RestoreMark | null> {
    const { manifest, startedAt, isCopy } = options;
    const isRunning = { $eq: ['$state', 'RUNNING'] };
    const isHeld = { $and: [isRunning, { $gt: [{ $ifNull: ['$expiresAt', new Date(0)] }, '$$NOW'] }] };
    const isAsPlanned = mark
      ? { $and: [isRunning, { $eq: ['$manifest', { $literal: manifest }] }] }
      : isReplaced || { $eq: [{ $type: '$state' }, 'missing'] };
    const claim = { owner: { $literal: this.#owner }, expiresAt: { $add: ['$$NOW', claimMs] } };
    const fresh = { $literal: { _id: 'restore', state: 'RUNNING', manifest, startedAt, done: [], isCopy } };
    const replaces = { $cond: [{ $eq: [{ $type: '$state' }, 'missing'] }, null, '$$ROOT'] };
    const next = { $mergeObjects: mark ? ['$$ROOT', claim] : [fresh, { replaces }, claim] };
    const isFree = { $and: [isAsPlanned, { $not: [isHeld] }] };
    return restoreMarks(db).findOneAndUpdate(
      { _id: 'restore' },
      [{ $replaceWith: { $cond: [isFree, next, '$$ROOT'] } }],
      { upsert: true, returnDocument: 'after', ...majority },
    );
  }
}

function claimedError(db: Db, mark: RestoreMark | null): DeploymentError {
  const by = mark?.owner === undefined ? '' : ` (${mark.owner})`;
  return new DeploymentError(
    `Database ${db.databaseName} is being restored by another process${by}; wait until it ends. If it was killed, run the restore again after ${claimMs / 1000} s`,
  );
}

function lostError(db: Db): DeploymentError {
  return new DeploymentError(
    `Another process has taken over the restore of database ${db.databaseName}; this one ends`,
  );
}
