// The secrets reach the payload, and nothing else.
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { createProofKey } from '@rhizome/client';
import type { SpokenCredential } from '../../e2e/system/worker-credentials.js';
import { stolen } from '../enrolled-pilots.js';
import { ids, pilot } from './delivery.stories.js';
import {
  answers,
  ask,
  cancel,
  change,
  databases,
  enrolled,
  logged,
  reached,
  serviceApi,
  started,
  store,
  submit,
  system,
} from './stage.js';

/** In each value of a secret. */
const secretText = /petrel/i;

interface Held {
  readonly workerId: string;
  readonly jobId: string;
  readonly fence: number;
}

/** A job that the pilot runs. */
async function heldByPilot(jobId: string): Promise<Held> {
  const jobs = started.databases.core.collection<{ _id: string; fence: number }>('jobs');
  const job = await jobs.findOne({ _id: jobId });
  return { workerId: pilot.workerId, jobId, fence: Number(job?.fence) };
}

/** Code of the error of a request for secrets. @param signer the key that signs it */
async function redeem(
  held: Held,
  credential: SpokenCredential,
  signer = credential.key,
  secretIds = ids,
): Promise<string> {
  const { x, y } = createProofKey().export();
  const claims = { ...held, key: { kty: 'EC', crv: 'P-256', x, y } };
  const request = signer.statement('rhizome-secrets-request+jwt', claims);
  const { sealed, userErrors } = await change(
    'redeemSecrets',
    { ...held, secretIds, request },
    'sealed userErrors { code }',
    credential.apiAt(system.url),
  );
  return sealed === null ? userErrors[0].code : 'delivered';
}

/** A write of the store; those of a transaction are in `applyOps`. */
interface OplogEntry {
  readonly ns: string;
  readonly o: { readonly applyOps?: readonly OplogEntry[] };
}

/** Makes one write that is in the oplog as a transaction is, so that the search must find some. */
async function writeInTransaction(): Promise<void> {
  const controls = store.db(databases[0]).collection('controls');
  await store.withSession((session) =>
    session.withTransaction(() => controls.insertOne({ text: 'in a transaction' }, { session })),
  );
}

describe('a job with secrets', () => {
  it('has a secret of its owner while the owner allows its service to use it', async () => {
    const service = await serviceApi();
    const { data } = await ask('{ viewer { subject } }');
    const consent = { experiment: 'alpha', secretNames: ['PASSWORD'] };
    const submitted = async () => {
      const requirements = { queue: 'north', memoryMiB: 64, diskMiB: 1, selector: 'worker.name == "closed"' };
      const secrets = [{ name: 'PASSWORD', as: 'VARIABLE' }];
      const payload = { command: 'sleep', arguments: ['600'], secrets };
      const input = {
        ...{ experiment: 'alpha', idempotencyKey: randomUUID(), onBehalfOf: data.viewer.subject },
        jobs: [{ name: 'for its owner', payload, requirements }],
      };
      return change('submitJobs', input, 'jobs { id } userErrors { code }', service);
    };
    await change('allowSubmissionOnBehalf', { experiment: 'alpha' });
    expect((await submitted()).userErrors).toEqual([{ code: 'SECRET_NOT_FOUND' }]);
    await change('allowSubmissionOnBehalf', consent);
    const id = String((await submitted()).jobs[0].id);
    await reached(id, 'RUNNING');
    const held = await heldByPilot(id);
    const own = stolen(system, 'closed');
    const [password = ''] = ids;
    expect(await redeem(held, own, own.key, [password])).toBe('delivered');
    await change('withdrawSubmissionConsent', { experiment: 'alpha' }, 'isWithdrawn');
    expect(await redeem(held, own, own.key, [password])).toBe('SECRET_NOT_FOUND');
    await cancel(id);
    await reached(id, 'CANCELLED');
  });

  it('has secrets that nobody but the holder of its fence receives', async () => {
    const other = await enrolled('other');
    const id = await submit('sleep 600', {}, { selector: 'worker.name == "closed"' });
    await reached(id, 'RUNNING');
    const held = await heldByPilot(id);
    const [own, thief] = [stolen(system, 'closed'), stolen(system, 'other')];
    expect(await redeem(held, thief)).toBe('WORKER_NOT_FOUND');
    expect(await redeem({ ...held, workerId: other.workerId }, thief)).toBe('FENCE_STALE');
    expect(await redeem({ ...held, fence: held.fence - 1 }, own)).toBe('FENCE_STALE');
    expect(await redeem({ ...held, jobId: 'job_nowhere' }, own)).toBe('JOB_NOT_FOUND');
    expect(await redeem(held, own, createProofKey())).toBe('INVALID_VALUE');
    expect(await redeem(held, own, thief.key)).toBe('INVALID_VALUE');
    expect(await redeem(held, own, own.key, ['secret_other'])).toBe('SECRET_NOT_FOUND');
    expect(await redeem(held, own)).toBe('delivered');
    await cancel(id);
    await reached(id, 'CANCELLED');
    expect(await redeem(held, own)).toBe('FENCE_STALE');
    for (const { process } of [pilot, other]) process.signal('SIGTERM');
    for (const { process } of [pilot, other]) await process.exited;
    answers.push(...[pilot, other].flatMap(({ process }) => process.lines));
  });

  it('leaves an entry of each delivery in the audit log', async () => {
    const { data } = await ask(
      '{ auditEntries(filter: { kind: SECRET_READ }, first: 100) { nodes { actor { kind workerId } targets { ids } result } } }',
    );
    const reads = data.auditEntries.nodes as { actor: object; targets: { ids: string[] }; result: string }[];
    expect(reads.length).toBeGreaterThanOrEqual(4);
    const own = reads.filter(({ result }) => result === 'SUCCEEDED');
    expect(own[0]).toMatchObject({ actor: { kind: 'PILOT', workerId: pilot.workerId } });
    expect(own[0]?.targets.ids).toEqual(expect.arrayContaining([...ids]));
    expect(reads.some(({ result }) => result === 'REJECTED')).toBe(true);
  });

  it('leaves no value in the store, the oplog, logs, answers and files', async () => {
    let documents = 0;
    for (const name of databases)
      for (const { name: collection } of await store.db(name).listCollections().toArray())
        for await (const document of store.db(name).collection(collection).find()) {
          documents += 1;
          expect(JSON.stringify(document)).not.toMatch(secretText);
        }
    expect(documents).toBeGreaterThan(20);
    await writeInTransaction();
    let inTransactions = 0;
    for await (const entry of store.db('local').collection<OplogEntry>('oplog.rs').find()) {
      // The writes of a transaction are one entry of another namespace. Other files use the store, too.
      const writes = entry.ns === 'admin.$cmd' ? (entry.o.applyOps ?? []) : [entry];
      const own = writes.filter(({ ns }) => databases.some((name) => ns.startsWith(`${name}.`)));
      if (entry.ns === 'admin.$cmd') inTransactions += own.length;
      expect(JSON.stringify(own)).not.toMatch(secretText);
    }
    expect(inTransactions).toBeGreaterThan(0);
    expect(logged.length).toBeGreaterThan(10);
    for (const text of [...logged, ...answers]) expect(text).not.toMatch(secretText);
    const left = (await readdir('/dev/shm')).filter((name) => name.startsWith('rhizome-secrets-'));
    for (const name of left) expect(name).not.toMatch(new RegExp(`-${pilot.process.pid}-`));
  });
});
