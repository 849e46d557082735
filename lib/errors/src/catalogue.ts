/** Whether the same request may succeed when it is sent again: never, after a back-off, or at once. */
export type Retry = 'never' | 'later' | 'now';

/** What the catalogue knows about one code. */
export interface CatalogueEntry {
  /** Status of an HTTP answer that carries nothing but this error. */
  readonly http: number;
  /** Advice to a client that wants to send the same request again. */
  readonly retry: Retry;
  /** How messages of this code read; `{field}`, `{value}` and `{expected}` stand for the details. */
  readonly message: string;
  /** When the code is used and what to do about it. */
  readonly description: string;
}

const entry = (http: number, retry: Retry, message: string, description: string): CatalogueEntry => ({
  http,
  retry,
  message,
  description,
});

/** Codes of requests as such, whatever they ask for. */
const request = {
  BAD_REQUEST: entry(
    400,
    'never',
    'The request is not a GraphQL request: {expected}',
    'The body or the query string is not what GraphQL over HTTP asks for. Mend the client.',
  ),
  GRAPHQL_PARSE_FAILED: entry(
    400,
    'never',
    'Syntax Error: {message}',
    'The document is not GraphQL. The location points at the first wrong character.',
  ),
  GRAPHQL_VALIDATION_FAILED: entry(
    400,
    'never',
    '{message}',
    'The document does not fit the schema. The message names the field, argument or type.',
  ),
  OPERATION_RESOLUTION_FAILURE: entry(
    400,
    'never',
    'Unknown operation named {value}',
    'The document has several operations, and `operationName` names none of them.',
  ),
  PERSISTED_QUERY_NOT_FOUND: entry(
    200,
    'now',
    'PersistedQueryNotFound',
    'The hash of a persisted operation is unknown here. Send the document with the hash once.',
  ),
  PERSISTED_QUERY_NOT_SUPPORTED: entry(
    200,
    'never',
    'PersistedQueryNotSupported',
    'Persisted operations are switched off here. Send the document.',
  ),
  BAD_USER_INPUT: entry(
    400,
    'never',
    '{field}: {value} is not valid; expected {expected}',
    'An argument or variable has a value that is not allowed. Field, value and what would be right are named.',
  ),
  LIMIT_EXCEEDED: entry(
    429,
    'later',
    '{field}: {value} is over the limit of {expected}',
    'A limit on depth, cost, aliases, size, rate or open subscriptions is reached. Ask for less, or later.',
  ),
  BATCH_TOO_LARGE: entry(
    413,
    'never',
    '{field}: {value} entries in one call; at most {expected}',
    'One call carries more entries than it may. Split it.',
  ),
  REQUEST_TIMEOUT: entry(
    504,
    'later',
    'No answer within {expected}',
    'The deadline of the request passed before its answer was complete. A mutation may have been done: repeat it with its idempotency key.',
  ),
  REQUEST_CANCELLED: entry(
    499,
    'now',
    'The request was cancelled by its caller',
    'The caller went away before the answer was complete.',
  ),
  CONFLICT: entry(
    409,
    'now',
    '{field}: {value} was changed by somebody else',
    'Somebody else changed the same thing first. Read it again and decide anew.',
  ),
  NOT_FOUND: entry(
    404,
    'never',
    '{field}: {value} does not exist, or you may not see it',
    'What the request names does not exist, or the caller may not know that it does.',
  ),
  IDEMPOTENCY_KEY_REUSED: entry(
    422,
    'never',
    '{field}: key {value} was used before for another input',
    'The idempotency key belongs to an earlier call with another input. Take a fresh key for a new request.',
  ),
  CURSOR_INVALID: entry(
    400,
    'never',
    '{field}: {value} is not a cursor of this list',
    'The cursor was not given by this list in this order, or was cut. Start without one.',
  ),
} as const satisfies Record<string, CatalogueEntry>;

/** Codes of identity and permission. */
const identity = {
  UNAUTHENTICATED: entry(
    401,
    'never',
    'No valid token: {expected}',
    'The request has no token, or one that no accepted issuer signed for this audience. Log in.',
  ),
  TOKEN_EXPIRED: entry(
    401,
    'never',
    'The token expired at {value}',
    'The token was good and its time is over. Take a new one; long streams end with this code too.',
  ),
  FORBIDDEN: entry(
    403,
    'never',
    '{subject} may not {action} for {experiment}',
    'The principal lacks the permission. The message names the action and the experiment.',
  ),
} as const satisfies Record<string, CatalogueEntry>;

/** Codes of services, streams and the store. */
const service = {
  INTERNAL_SERVER_ERROR: entry(
    500,
    'later',
    'Internal error; quote request {requestId} when you report it',
    'A fault of the service. Its message is masked; the log has it under the request id.',
  ),
  SERVICE_UNAVAILABLE: entry(
    503,
    'later',
    '{service} cannot be reached',
    'A service or its store cannot be reached at the moment.',
  ),
  DOWNSTREAM_SERVICE_ERROR: entry(
    502,
    'later',
    '{subgraph} gave no usable answer',
    'A subgraph failed or answered nonsense. Only its fields are null; the rest of the answer stands.',
  ),
  SHUTTING_DOWN: entry(
    503,
    'now',
    'The service is shutting down',
    'This process drains. Connect again: another one answers.',
  ),
  CURSOR_EXPIRED: entry(
    410,
    'never',
    '{field}: the stream no longer reaches back to {value}',
    'The event stream no longer reaches back to the cursor. Take a snapshot and go on from its cursor.',
  ),
  SUBSCRIPTION_LAGGED: entry(
    429,
    'now',
    'The consumer fell behind; go on from cursor {cursor}',
    'The consumer of a stream was too slow and was dropped. Subscribe again with the cursor given.',
  ),
  SCHEMA_INVALID: entry(
    422,
    'never',
    'The subgraphs do not make a supergraph: {value}',
    'Subgraphs do not compose, or an experiment breaks a rule of the house; each fault names its rule and place.',
  ),
  CONFIG_INVALID: entry(
    500,
    'never',
    '{field}: {value} is not valid; expected {expected}',
    'The configuration has faults; all of them are listed with the variable or YAML path, the value and what is right.',
  ),
  PORT_TAKEN: entry(
    500,
    'never',
    'Address {value} is taken by another process',
    'The address to listen on is in use. Stop the other process or choose another port (0 takes a free one).',
  ),
  COMPOSITION_FAILED: entry(
    500,
    'never',
    'The subgraphs do not compose: {expected}',
    'The schemas of the subgraphs contradict each other or a rule of the house. The message names types and fields.',
  ),
  MONGOD_UNAVAILABLE: entry(
    503,
    'later',
    'No usable mongod: {expected}',
    'No mongod was found or could be fetched, or it does not start. The message lists what was tried and what to do.',
  ),
  MIGRATION_FAILED: entry(
    500,
    'never',
    'Migration {value} failed',
    'A migration of the database failed and was not recorded as done. Mend the cause and start again.',
  ),
  COLLECTION_DRIFT: entry(
    500,
    'never',
    '{field}: the database has {value}; declared is {expected}',
    'A collection or an index in the database differs from its declaration. A migration is missing.',
  ),
} as const satisfies Record<string, CatalogueEntry>;

/** Codes of jobs, tasks, experiments and shares. */
const work = {
  JOB_NOT_FOUND: entry(
    404,
    'never',
    '{field}: job {value} does not exist, or you may not see it',
    'No such job, or none the caller may see.',
  ),
  JOB_STATE_CONFLICT: entry(
    409,
    'never',
    'Job {value} is {state}; {action} needs {expected}',
    'The job is in a state that the request cannot leave. Its state is named.',
  ),
  JOB_REQUIREMENTS_INVALID: entry(
    422,
    'never',
    '{field}: {value} is not valid; expected {expected}',
    'The requirements of a job contradict themselves or a limit.',
  ),
  SELECTOR_INVALID: entry(
    422,
    'never',
    '{field}: selector {value} is refused: {expected}',
    'The CEL selector does not parse, names unknown attributes, is not a condition, or costs too much.',
  ),
  DEPENDENCY_INVALID: entry(
    422,
    'never',
    '{field}: {value} cannot be a parent: {expected}',
    'A parent in `dependsOn` does not exist, belongs to another experiment, or closes a circle.',
  ),
  TASK_NOT_FOUND: entry(
    404,
    'never',
    '{field}: task {value} does not exist, or you may not see it',
    'No such task, or none the caller may see.',
  ),
  TASK_INVALID: entry(
    422,
    'never',
    '{field}: {value} is not valid; expected {expected}',
    'The template, the parameter sets or the count of a task are not valid.',
  ),
  OPERATION_NOT_FOUND: entry(
    404,
    'never',
    '{field}: operation {value} does not exist, or you may not see it',
    'No such background operation, or none the caller may see.',
  ),
  EXPERIMENT_NOT_FOUND: entry(
    404,
    'never',
    '{field}: experiment {value} is not registered',
    'No experiment of this name is registered.',
  ),
  EXPERIMENT_INVALID: entry(
    422,
    'never',
    '{field}: {value} is not valid; expected {expected}',
    'The registration of an experiment is not valid or contradicts an earlier one.',
  ),
  SHARE_NOT_FOUND: entry(
    404,
    'never',
    '{field}: share {value} does not exist',
    'No leaf of the fair-share tree has this name.',
  ),
  SHARES_INVALID: entry(
    422,
    'never',
    '{field}: {value} is not valid; expected {expected}',
    'The fair-share tree is not valid: names twice, a negative weight, a leaf in use removed.',
  ),
} as const satisfies Record<string, CatalogueEntry>;

/** Codes of queues, workers and brokerage. */
const fleet = {
  QUEUE_NOT_FOUND: entry(
    404,
    'never',
    '{field}: queue {value} does not exist, or you may not see it',
    'No such queue, or none the caller may see.',
  ),
  QUEUE_NAME_TAKEN: entry(
    409,
    'never',
    '{field}: a queue named {value} exists already',
    'Queue names are unique. Choose another name or update the queue that has it.',
  ),
  QUEUE_INVALID: entry(
    422,
    'never',
    '{field}: {value} is not valid; expected {expected}',
    'The definition of a queue is not valid.',
  ),
  QUEUE_NOT_ACCEPTING: entry(
    409,
    'later',
    'Queue {value} is {state} and takes no {what}',
    'The state of the queue does not admit this worker or this job now.',
  ),
  WORKER_NOT_FOUND: entry(
    404,
    'never',
    '{field}: worker {value} does not exist; register again',
    'No such worker. A pilot registers again.',
  ),
  WORKER_LOST: entry(
    409,
    'never',
    'Worker {value} was declared lost at {at}',
    'The lease of the worker ended and its jobs went to others. The pilot stops its payloads and registers again.',
  ),
  WORKER_INVALID: entry(
    422,
    'never',
    '{field}: {value} is not valid; expected {expected}',
    'What a worker reported about itself is not valid.',
  ),
  FENCE_STALE: entry(
    409,
    'never',
    'Job {value}: fence {fence} is stale',
    'The worker no longer owns the attempt. It stops the payload and reports nothing more of it.',
  ),
  LEADER_UNAVAILABLE: entry(
    503,
    'later',
    'No broker holds the lease at the moment',
    'The leader of the broker is gone or changing. The next one takes over within seconds.',
  ),
  EPOCH_STALE: entry(
    409,
    'later',
    'Epoch {value} was ended by epoch {expected}',
    'A former leader of the broker tried to write. Ask again: the new leader answers.',
  ),
} as const satisfies Record<string, CatalogueEntry>;

/** The catalogue by scope, in the order of the reference page. */
export const catalogueByScope = {
  Requests: request,
  Identity: identity,
  'Services, streams and the store': service,
  'Jobs, tasks, experiments and shares': work,
  'Queues, workers and brokerage': fleet,
} as const;

/** Every stable error code of the house. Experiments add their own by `defineErrors`. */
export const catalogue = { ...request, ...identity, ...service, ...work, ...fleet } as const;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof catalogue;
