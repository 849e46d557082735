/** Leases, the broker's lease and the lease clock in the store. */
import { connectMongo, type RunningMongod } from '@rhizome/mongo';
import { leftovers, waitFor } from '@rhizome/testkit';

const patience = { deadlineMs: 120_000 };

interface Broker {
  readonly _id: string;
  readonly epoch: number;
  readonly url?: string;
}

interface Clock {
  readonly _id: string;
  readonly epoch: number;
  readonly revision: number;
  readonly state: string;
}

interface Lease {
  readonly _id: string;
  readonly updatedAt: Date;
  readonly expiresAt: Date;
  readonly lostAt?: Date;
}

/** Reads, and the one change that a test needs. */
export interface LeaseStore {
  /** The lease of the broker. */
  broker(): Promise<Broker>;
  /** Makes leases of workers older, as if they had not reported for longer. */
  age(workerIds: readonly string[], seconds: number): Promise<void>;
  /** Waits until a leader of a later term has judged all leases at least twice while its clock ran. */
  untilJudgedAfter(epoch: number): Promise<void>;
  /** Waits until these leases are over, and the leader has judged them. @returns the state of its clock */
  untilOver(workerIds: readonly string[]): Promise<string | undefined>;
}

/** Opens the store of core. */
export async function openLeaseStore({ uri }: RunningMongod): Promise<LeaseStore> {
  const mongo = leftovers.use(await connectMongo({ uri, appName: 'story' }));
  const db = mongo.db('core');
  const leases = db.collection<Lease>('leases');
  const clock = () => db.collection<Clock>('leaseClock').findOne({ _id: 'leases' });
  const judged = async (since: Clock, times: number): Promise<void> =>
    void (await waitFor(
      'the leader judges the leases',
      async () => {
        const now = await clock();
        return now && now.epoch >= since.epoch && now.revision >= since.revision + times;
      },
      patience,
    ));
  return {
    async broker() {
      const broker = await db.collection<Broker>('brokerLease').findOne({ _id: 'broker' });
      if (!broker) throw new Error('nobody has led yet');
      return broker;
    },
    async age(workerIds, seconds) {
      const earlier = (field: string) => ({ $subtract: [field, seconds * 1000] });
      const { modifiedCount } = await leases.updateMany({ _id: { $in: [...workerIds] } }, [
        { $set: { updatedAt: earlier('$updatedAt'), expiresAt: earlier('$expiresAt') } },
      ]);
      if (modifiedCount !== workerIds.length) throw new Error(`${modifiedCount} leases are older`);
    },
    async untilJudgedAfter(epoch) {
      const running = await waitFor(
        'the clock of a new leader',
        async () => {
          const now = await clock();
          return now && now.epoch > epoch && now.state === 'RUNNING' ? now : undefined;
        },
        patience,
      );
      await judged(running, 3);
    },
    async untilOver(workerIds) {
      const ended = { _id: { $in: [...workerIds] }, $expr: { $lt: ['$expiresAt', '$$NOW'] } };
      await waitFor(
        'the end of the leases',
        async () => (await leases.countDocuments(ended)) === workerIds.length,
        patience,
      );
      const now = await clock();
      if (now) await judged(now, 3);
      return (await clock())?.state;
    },
  };
}
