import { entry, type CatalogueEntry } from './entry.js';

/** Codes of requests as such, whatever they ask for. */
export const requestCodes = {
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
  PERSISTED_QUERY_NOT_SUPPORTED: entry(
    200,
    'never',
    'PersistedQueryNotSupported',
    'Persisted operations are switched off here. Send the document.',
  ),
  BAD_USER_INPUT: entry(
    400,
    'never',
    '{field}: {value} is not valid; must be {expected}',
    'An argument or variable has a value that is not allowed. Field, value and what would be right are named.',
  ),
  LIMIT_EXCEEDED: entry(
    429,
    'later',
    '{field}: {value} is over the limit of {expected}',
    'A limit on open subscriptions, running calls, planning time or the size of an answer is reached. Ask for less, or later.',
  ),
  REQUEST_TOO_LARGE: entry(
    413,
    'never',
    '{field}: {value} is over the limit of {expected}',
    'The body of a request, or a message, has more bytes than are taken. Send it in parts.',
  ),
  OPERATION_TOO_COMPLEX: entry(
    400,
    'never',
    '{field}: {value} is over the limit of {expected}',
    'An operation is over a limit on depth, aliases, root fields, directives, tokens or cost. Ask for less at once.',
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
