import { entry, type CatalogueEntry } from './entry.js';

/** Codes of identity and permission. */
export const identityCodes = {
  UNAUTHENTICATED: entry(
    401,
    'never',
    'No valid token: {expected}',
    'The request has no token, or its token was not signed by an accepted issuer for this audience. Log in.',
  ),
  TOKEN_EXPIRED: entry(
    401,
    'never',
    'The token expired at {value}',
    'The token was valid and has expired. Get a new one. Long streams end with this code, too.',
  ),
  TOKEN_REVOKED: entry(
    401,
    'never',
    'The token was revoked',
    'The token was valid and has been revoked, for instance by a logout. Log in again. Open streams end with this code, too.',
  ),
  RIGHTS_CHANGED: entry(
    403,
    'now',
    'Your rights have changed; subscribe again',
    'The caller lost some of its rights. Open streams, sockets and long polls end with this code. Subscribe again after the last cursor to continue with the current rights.',
  ),
  ENROLMENT_PENDING: entry(
    403,
    'later',
    'Enrolment {value} waits for a decision',
    'A worker has asked to enrol, and nobody has approved or refused it yet. Ask again after some seconds.',
  ),
  FORBIDDEN: entry(
    403,
    'never',
    '{subject} may not {action} for {experiment}',
    'The principal does not have the permission. The message names the action and the experiment.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
