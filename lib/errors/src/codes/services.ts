import { entry, type CatalogueEntry } from './entry.js';

/** Codes of services, streams and the store. */
export const serviceCodes = {
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
  SUBSCRIPTION_WITHDRAWN: entry(
    410,
    'never',
    'A new version of the graph no longer has this subscription: {reason}',
    'The graph was replaced while the stream was open, and the new one does not take its document. Mend the document and go on from the cursor given.',
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
    '{field}: {value} is not valid; must be {expected}',
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
