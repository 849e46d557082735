import { entry, type CatalogueEntry } from './entry.js';

/** Codes of services, streams and the store. */
export const serviceCodes = {
  INTERNAL_SERVER_ERROR: entry(
    500,
    'later',
    'Internal error; include request id {requestId} when you report it',
    'An error in the service. The message is masked; the log has the original under the request id.',
  ),
  SERVICE_UNAVAILABLE: entry(
    503,
    'later',
    '{service} cannot be reached',
    'A service or its store is currently unreachable.',
  ),
  DOWNSTREAM_SERVICE_ERROR: entry(
    502,
    'later',
    '{subgraph} gave no usable response',
    'A subgraph failed or returned an invalid response. Only its fields are null; the rest of the response is valid.',
  ),
  SHUTTING_DOWN: entry(
    503,
    'now',
    'The service is shutting down',
    'This process is draining. Reconnect to reach another one.',
  ),
  CURSOR_EXPIRED: entry(
    410,
    'never',
    '{field}: the stream no longer reaches back to {value}',
    'The event stream no longer reaches back to the cursor. Subscribe without `after`, read the current state, and continue from the cursor of the first message.',
  ),
  SUBSCRIPTION_LAGGED: entry(
    429,
    'now',
    'The consumer fell behind; continue from cursor {cursor}',
    'The consumer of the stream was too slow and was disconnected. Subscribe again with the given cursor.',
  ),
  SUBSCRIPTION_WITHDRAWN: entry(
    410,
    'never',
    'A new version of the graph no longer has this subscription: {reason}',
    'A new version of the graph was activated while the stream was open, and the document of the stream is not valid for the new version. Fix the document and continue from the given cursor.',
  ),
  SCHEMA_INVALID: entry(
    422,
    'never',
    'The subgraphs do not form a supergraph: {value}',
    'Subgraphs of the repository do not compose, or an experiment violates a rule of the project. The message lists each error with its rule and location.',
  ),
  CONFIG_INVALID: entry(
    500,
    'never',
    '{field}: {value} is not valid; must be {expected}',
    'The configuration is invalid. The message lists each error with the variable or YAML path, the value and what is valid.',
  ),
  PORT_TAKEN: entry(
    500,
    'never',
    'Port {value} is in use; choose another one, or 0 for a free one.',
    'The address to listen on is in use. Stop the other process or choose another port (0 selects a free one).',
  ),
  COMPOSITION_FAILED: entry(
    500,
    'never',
    'The subgraphs do not compose: {expected}',
    'The gateway cannot compose the subgraphs that it starts with, or cannot use a supergraph. The message names the reason.',
  ),
  MONGOD_UNAVAILABLE: entry(
    503,
    'later',
    'No usable mongod: {expected}',
    'No mongod was found, none could be downloaded, or the one that was found does not start. The message lists the attempts and what to do.',
  ),
  MIGRATION_FAILED: entry(
    500,
    'never',
    'Migration {value} failed',
    'A migration of the database failed and was not recorded. Fix the cause and start again.',
  ),
  RESTORE_UNFINISHED: entry(
    500,
    'never',
    'Database {value} is not completely restored',
    'The database is being restored from a backup, or the restore ended early. Run `rhizome admin restore` again until it is complete, then start the service.',
  ),
  COLLECTION_DRIFT: entry(
    500,
    'never',
    '{field}: the database has {value}; must be {expected}',
    'A collection or an index in the database differs from its declaration. A migration is missing.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
