import { entry, type CatalogueEntry } from './entry.js';

/** Codes of identity and permission. */
export const identityCodes = {
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
