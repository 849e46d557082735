/** Holders that requests name before anything is verified. */
import type { IncomingMessage } from 'node:http';
import { digestOfText } from '@rhizome/digest';
import { certificatePrefix, claimedAccount, claimedKey } from '@rhizome/identity/holders';
import { certificateThumbprint } from '../policy/index.js';

/** The key that a request names, by its proof or by the certificate of its connection. */
export async function claimedByKey(request: IncomingMessage): Promise<string | undefined> {
  const { dpop } = request.headers;
  if (typeof dpop === 'string') return claimedKey(dpop);
  const certificate = certificateThumbprint(request);
  return certificate === undefined ? undefined : certificatePrefix + certificate;
}

/** The login of a refresh token, or the account of a JWT. */
export function claimedByToken(token: string): string | undefined {
  const login = /^rhr_login_[0-9A-Z]{26}(?=_)/.exec(token)?.[0] ?? claimedAccount(token);
  return login === undefined ? undefined : `account:${digestOfText(login)}`;
}
