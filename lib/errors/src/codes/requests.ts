import { entry, type CatalogueEntry } from './entry.js';

/** Codes of requests, independent of their content. */
export const requestCodes = {
  BAD_REQUEST: entry(
    400,
    'never',
    'The request is not a GraphQL request: {expected}',
    'The body or the query string does not conform to GraphQL over HTTP: fix the client. Or the rights of the caller do not fit into a token: log in with a scope that has fewer rights (see [tokens](identity.md#rhizomes-own-tokens)).',
  ),
  GRAPHQL_PARSE_FAILED: entry(
    400,
    'never',
    'Syntax Error: {message}',
    'The document is not valid GraphQL. The location is the position of the first syntax error.',
  ),
  GRAPHQL_VALIDATION_FAILED: entry(
    400,
    'never',
    '{message}',
    'The document is not valid for the schema. The message names the field, argument or type.',
  ),
  OPERATION_RESOLUTION_FAILURE: entry(
    400,
    'never',
    'Unknown operation named {value}',
    'The document has several operations, and `operationName` names none of them.',
  ),
  PERSISTED_QUERY_NOT_SUPPORTED: entry(
    200,
    'never',
    'PersistedQueryNotSupported',
    'The server does not support persisted operations. Send the document.',
  ),
  PERSISTED_QUERY_NOT_FOUND: entry(
    200,
    'never',
    'PersistedQueryNotFound',
    'The server does not have the document with this hash. Send the document together with its hash; clients with automatic persisted queries do.',
  ),
  OPERATION_NOT_REGISTERED: entry(
    403,
    'never',
    'The operation is not registered for client {value}; only registered operations are accepted',
    'From this client, or from every client, the gateway accepts only registered operations: those in the list (manifest) of the client. Add the operation to it; see [persisted operations](limits-and-failures.md#persisted-operations).',
  ),
  BAD_USER_INPUT: entry(
    400,
    'never',
    '{field}: {value} is not valid; must be {expected}',
    'An argument or variable has an invalid value. The message names the field, the value and what is valid.',
  ),
  LIMIT_EXCEEDED: entry(
    429,
    'later',
    '{field}: {value} is over the limit of {expected}',
    'A rate, a quota, or a limit on open subscriptions, sockets, concurrent calls, planning time or the size of a response is reached; `field` names it. Request less, or retry after `retryAfterSeconds`.',
  ),
  REQUEST_TOO_LARGE: entry(
    413,
    'never',
    '{field}: {value} is over the limit of {expected}',
    'The body of a request, or a message, has too many bytes. Send it in parts.',
  ),
  OPERATION_TOO_COMPLEX: entry(
    400,
    'never',
    '{field}: {value} is over the limit of {expected}',
    'An operation exceeds a limit on depth, aliases, root fields, directives, tokens or cost, or a body has too many values or is nested too deeply. Split it into smaller operations.',
  ),
  BATCH_TOO_LARGE: entry(
    413,
    'never',
    '{field}: {value} entries are too many; must be at most {expected}',
    'The call has too many entries. Split it.',
  ),
  REQUEST_TIMEOUT: entry(
    504,
    'later',
    'No response within {expected}',
    'The deadline of the request passed before the response was complete. A mutation may have been executed: retry it with the same idempotency key. For a body that arrives too slowly, the status is 408.',
  ),
  REQUEST_CANCELLED: entry(
    499,
    'now',
    'The request was cancelled by its caller',
    'The caller disconnected before the response was complete.',
  ),
  CONFLICT: entry(
    409,
    'now',
    '{field}: {value} was changed by another caller',
    'Another caller changed the same object, or took the same name, at the same time. If the change is still wanted, send the request again: it then applies to the changed object.',
  ),
  NOT_FOUND: entry(
    404,
    'never',
    '{field}: "{value}" not found, or you may not see it.',
    'The named object does not exist, or the caller may not see it.',
  ),
  IDEMPOTENCY_KEY_REUSED: entry(
    422,
    'never',
    '{field}: key {value} was already used for another input',
    'The idempotency key belongs to an earlier call with different input. Use a new key for a new request.',
  ),
  CURSOR_INVALID: entry(
    400,
    'never',
    '{field}: {value} is not a cursor of this list',
    'The cursor is not from this list in this order, or is truncated. Start without a cursor.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
