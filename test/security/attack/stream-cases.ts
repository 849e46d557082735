/** Event streams over HTTP. */
import type { Caller } from './attackers.js';
import type { AttackCase } from './case.js';
import { type Attack, http } from './http.js';
import type { Targets } from './targets.js';

const accept = 'text/event-stream';
const stream = (query: string, as: Caller = 'reader', headers: object = {}): Attack => ({
  as,
  headers: { accept, ...headers },
  body: { query },
});
const jobs = 'subscription { jobStateChanged { cursor } }';
const unauthenticated = { status: 401, code: 'UNAUTHENTICATED' } as const;

const opening: readonly AttackCase[] = [
  http('a stream without a token', stream(jobs, 'nobody'), unauthenticated),
  http('a stream with an expired token', stream(jobs, 'expired'), { status: 401, code: 'TOKEN_EXPIRED' }),
  http('a stream with a call token', stream(jobs, 'call'), unauthenticated),
  http('a stream with the token of an attempt', stream(jobs, 'attempt'), unauthenticated),
  http(
    'a stream by GET from another site',
    {
      method: 'GET',
      path: `/graphql?query=${encodeURIComponent(jobs)}`,
      headers: { accept, 'sec-fetch-site': 'cross-site' },
    },
    { status: 403 },
  ),
  http(
    'a mutation as a stream by GET',
    {
      as: 'reader',
      method: 'GET',
      path: `/graphql?query=${encodeURIComponent('mutation { __typename }')}`,
      headers: { accept },
    },
    { hides: /"data":\{"__typename"/ },
  ),
  http('a stream that accepts a page, too', stream(jobs, 'reader', { accept: 'text/html' }), { status: 406 }),
  http(
    'a batch of streams',
    { as: 'reader', headers: { accept }, body: JSON.stringify([{ query: jobs }]) },
    { status: 400 },
  ),
];

const lastIds: readonly AttackCase[] = [
  'forged',
  '-1',
  '0',
  'a'.repeat(5000),
  '../../x',
  '%00',
  '{"$gt":""}',
  '🦏'.normalize(),
].map((id) =>
  http(
    `a stream that resumes after "${id.slice(0, 20)}"`,
    stream(jobs, 'reader', { 'last-event-id': Buffer.from(id).toString('latin1') }),
    { status: 200, says: /event: (next|error|complete)|errors|INVALID|cursor/i },
  ),
);

const wrong: readonly AttackCase[] = [
  ['a broken document', '{', 'GRAPHQL_PARSE_FAILED'],
  ['an unknown field', 'subscription { nothingChanged { cursor } }', 'GRAPHQL_VALIDATION_FAILED'],
  [
    'two root fields',
    'subscription { jobStateChanged { cursor } queueChanged { cursor } }',
    'GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'a filter of operators',
    'subscription { jobStateChanged(filter: { owners: { ne: "" } }) { cursor } }',
    'GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'the log of a job that is nowhere',
    'subscription { jobLogAppended(jobId: "job_nowhere") { cursor } }',
    'NOT_FOUND',
  ],
  [
    'the progress of a job that is nowhere',
    'subscription { jobProgressChanged(ids: ["job_nowhere"]) { cursor } }',
    'NOT_FOUND',
  ],
  [
    'the progress of a task that is nowhere',
    'subscription { taskProgress(id: "task_nowhere") { cursor } }',
    'NOT_FOUND',
  ],
  [
    '1,000 aliases',
    `subscription { jobStateChanged { ${Array.from({ length: 1000 }, (_, at) => `a${at}: cursor`).join(' ')} } }`,
    'OPERATION_TOO',
  ],
].map(([name, query, code]) =>
  http(`a stream of ${name as string}`, stream(query as string), { says: new RegExp(code as string) }),
);

/** Streams about an object of another experiment: what it is, the field, and the object. */
const foreignStreams: readonly (readonly [string, string, (targets: Targets) => string, RegExp])[] = [
  [
    'the log of a foreign job',
    'jobLogAppended(jobId: $id) { cursor }',
    ({ held }) => held.job.id,
    /"data":\{"jobLogAppended":\{/,
  ],
  [
    'the progress of a foreign job',
    'jobProgressChanged(ids: [$id]) { cursor }',
    ({ held }) => held.job.id,
    /"data":\{"jobProgressChanged":\{/,
  ],
  [
    'the progress of a foreign task',
    'taskProgress(id: $id) { cursor }',
    ({ task }) => task,
    /"data":\{"taskProgress":\{/,
  ],
  [
    'the commands of a foreign worker',
    'workerCommands(workerId: $id) { sequence }',
    ({ worker }) => worker,
    /citadel/,
  ],
];

const foreign: readonly AttackCase[] = (
  ['reader', 'user', 'production', 'operator', 'admin', 'agent', 'service', 'pilot'] as const
).flatMap((as) =>
  foreignStreams.map(([what, field, idIn, hides]) =>
    http(
      `${what} as a stream by ${as}`,
      {
        as,
        headers: { accept },
        body: ({ targets }) => ({
          query: `subscription ($id: ID!) { ${field} }`,
          variables: { id: idIn(targets) },
        }),
      },
      { says: /NOT_FOUND|FORBIDDEN/, hides },
    ),
  ),
);

/** All of them. */
export const streamCases: readonly AttackCase[] = [...opening, ...lastIds, ...wrong, ...foreign];
