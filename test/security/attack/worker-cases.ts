/**
 * A worker that has enrolled in the queue of another one, and thieves of its credential. Its token is bound
 * to its key and to itself.
 */
import { createProofKey, type ProofKey } from '@rhizome/client';
import { decodeJwt } from 'jose';
import { mutationText } from '../../e2e/system/api.js';
import {
  enrolled as enrolledAt,
  proofHeaders,
  SpokenCredential,
} from '../../e2e/system/worker-credentials.js';
import type { AttackSystem } from './attack-system.js';
import type { AttackCase, Expected, Outcome } from './case.js';
import { send } from './http.js';
import { held, inputs, refusals } from './role-cases.js';

/** An enrolled worker. */
interface Enrolled {
  readonly key: ProofKey;
  readonly token: string;
  readonly worker: string;
  /** Address of GraphQL, as proofs name it. */
  readonly url: string;
}

const enrolled = new WeakMap<AttackSystem, Promise<Enrolled>>();

/** The worker, which enrols at the first use. */
function enrolledIn(system: AttackSystem): Promise<Enrolled> {
  const known = enrolled.get(system) ?? enrol(system);
  enrolled.set(system, known);
  return known;
}

async function enrol({ origin, services, tokens, targets, evidence }: AttackSystem): Promise<Enrolled> {
  const url = `${origin('identities')}/graphql`;
  const place = { url, data: services.data, token: tokens.everything };
  const worker = { name: 'spoken', queue: targets.queue, experiments: ['atlas'] };
  const { credential, code } = await enrolledAt(place, worker);
  const spoken = new SpokenCredential(credential);
  const token = await spoken.token();
  evidence.plant('token', [token, code]);
  return { key: spoken.key, token, worker: String(decodeJwt(token)['wid']), url };
}

/** Sends as the worker, with a proof as it should be unless another one is given. */
export async function sendAsWorker(
  system: AttackSystem,
  body: object,
  headersOf?: (worker: Enrolled) => Record<string, string>,
): Promise<Outcome> {
  const worker = await enrolledIn(system);
  const { key, token, url } = worker;
  const proper = proofHeaders(key, token, url);
  return send(system, { at: 'identities', headers: headersOf?.(worker) ?? proper, body });
}

const reports = [
  'heartbeat',
  'acquireJobs',
  'startJobs',
  'finishJobs',
  'failJobs',
  'reportCheckpoints',
  'signJobFiles',
  'appendJobLog',
  'drainWorker',
  'reportEndedBatchJobs',
  'requestPilots',
  'reportPilots',
];

const foreign: readonly AttackCase[] = reports.map((mutation) => {
  const query = mutationText(mutation);
  return {
    name: `${mutation} of another worker by a worker of its queue`,
    expected: { status: 200, code: refusals },
    run: (system) => sendAsWorker(system, { query, variables: { input: inputs[mutation]?.(system) } }),
  };
});

const reportsOfJobs = [
  'startJobs',
  'finishJobs',
  'failJobs',
  'reportCheckpoints',
  'signJobFiles',
  'appendJobLog',
];

/** Reports with its own name about a job that another worker holds. */
const ofJobs: readonly AttackCase[] = reportsOfJobs.map((mutation) => {
  const query = mutationText(mutation);
  return {
    name: `${mutation} of another worker's job by a worker of its queue`,
    expected: { status: 200, code: [...refusals, 'FENCE_STALE', 'NOT_HELD', 'JOB_NOT_HELD'] },
    run: async (system) => {
      const { worker } = await enrolledIn(system);
      return sendAsWorker(system, {
        query,
        variables: { input: { ...inputs[mutation]?.(system), workerId: worker } },
      });
    },
  };
});

const reads: readonly AttackCase[] = [
  {
    name: "the payload of another worker's job by a worker of its queue",
    expected: { status: 200, hides: /CANARY|guarded/ },
    run: (system) =>
      sendAsWorker(system, {
        query: 'query ($id: ID!) { job(id: $id) { name payload { environment { name value } } } }',
        variables: { id: held(system).id },
      }),
  },
  {
    name: 'the jobs of its queue by a worker',
    expected: { status: 200, hides: /CANARY|guarded/ },
    run: (system) =>
      sendAsWorker(system, { query: '{ jobs { nodes { name payload { environment { value } } } } }' }),
  },
];

const takeovers: readonly AttackCase[] = [
  {
    name: 'the name and host of another worker, registered by a worker of its queue',
    expected: { code: 'CONFLICT' },
    run: (system) =>
      sendAsWorker(system, {
        query:
          'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { userErrors { code } } }',
        variables: { input: inputs['registerWorker']?.(system) },
      }),
  },
  {
    name: 'the commands of another worker by a worker of its queue',
    expected: { says: /NOT_FOUND|FORBIDDEN/, hides: /"workerCommands":\{/ },
    run: (system) =>
      sendAsWorker(
        system,
        {
          query: 'subscription ($id: ID!) { workerCommands(workerId: $id) { sequence } }',
          variables: { id: system.targets.worker },
        },
        ({ key, token, url }) => ({
          accept: 'text/event-stream',
          ...proofHeaders(key, token, url),
        }),
      ),
  },
];

const refused = { status: 401, code: 'UNAUTHENTICATED' } as const;
const typename = { query: '{ __typename }' };
const thief = createProofKey();
const other = 'http://127.0.0.1:1/graphql';

const thefts: readonly (readonly [string, (worker: Enrolled) => Record<string, string>, Expected?])[] = [
  ['without a proof', ({ token }) => ({ authorization: `DPoP ${token}` })],
  ['as a bearer token', ({ token }) => ({ authorization: `Bearer ${token}` })],
  ['with the proof of a thief', ({ token, url }) => proofHeaders(thief, token, url)],
  ['with a proof for another address', ({ token, key }) => proofHeaders(key, token, other)],
  ['with a proof for another method', ({ token, key, url }) => proofHeaders(key, token, url, 'GET')],
  [
    'with a proof for another token',
    ({ token, key, url }) => ({
      authorization: `DPoP ${token}`,
      dpop: key.proof({ method: 'POST', url, token: 'x' }),
    }),
  ],
  [
    'with a proof for no token',
    ({ token, key, url }) => ({ authorization: `DPoP ${token}`, dpop: key.proof({ method: 'POST', url }) }),
  ],
  ['with a proof of nonsense', ({ token }) => ({ authorization: `DPoP ${token}`, dpop: 'a.b.c' })],
  [
    'with two proofs',
    ({ token, key, url }) => {
      const proof = key.proof({ method: 'POST', url, token });
      return { authorization: `DPoP ${token}`, dpop: `${proof}, ${proof}` };
    },
  ],
];

const stolen: readonly AttackCase[] = thefts.map(([how, headers]) => ({
  name: `the credential of a worker ${how}`,
  expected: refused,
  run: (system) => sendAsWorker(system, typename, headers),
}));

const repeated: AttackCase = {
  name: 'the proof of a worker for a second time',
  expected: refused,
  run: async (system) => {
    const { key, token, url } = await enrolledIn(system);
    const headers = proofHeaders(key, token, url);
    const first = await sendAsWorker(system, typename, () => headers);
    if (first.status !== 200) return { ...first, code: 'the first time was refused' };
    return sendAsWorker(system, typename, () => headers);
  },
};

/** All of them. */
export const workerCases: readonly AttackCase[] = [
  ...foreign,
  ...ofJobs,
  ...reads,
  ...takeovers,
  ...stolen,
  repeated,
];

/** Enrols the worker before the state of the system is compared. */
export const enrolWorker = enrolledIn;
