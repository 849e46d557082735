/** The session of this browser, which the gateway keeps: no script can read its cookie. */

import type { GrantableRole } from '../operations.generated.js';
import { beginLink } from './link-proof.js';

/** Header of requests that use the session. */
export const sessionHeaders = { 'x-rhizome-csrf': '1' } as const;

/** State of the session. */
export interface Session {
  readonly isLoggedIn: boolean;
  /** Issuers at which one can log in. */
  readonly issuers: readonly { readonly name: string }[];
}

/** The session; null at a gateway that offers no login, which takes a pasted token. */
export async function readSession(): Promise<Session | null> {
  const response = await fetch('/auth/session', { headers: sessionHeaders });
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  if (response.status === 404 || !isJson) return null;
  if (!response.ok) throw new Error(`The gateway answered with status ${response.status}`);
  const session = (await response.json()) as Session;
  return session.isLoggedIn || session.issuers.length > 0 ? session : null;
}

/** Ends the session. */
export async function endSession(): Promise<void> {
  await fetch('/auth/logout', { method: 'POST', headers: sessionHeaders });
}

/** Roles of one experiment, `*` for all, that the person may take for a short time. */
export interface ElevatableRoles {
  readonly experiment: string;
  readonly roles: readonly GrantableRole[];
}

/** The roles that the person of the session may take. */
export async function readElevatable(): Promise<readonly ElevatableRoles[]> {
  const response = await fetch('/auth/elevation', { headers: sessionHeaders });
  if (!response.ok) return [];
  return ((await response.json()) as { readonly elevatable: readonly ElevatableRoles[] }).elevatable;
}

/** Ends the elevation of the session. */
export async function endElevation(): Promise<void> {
  await fetch('/auth/elevation/end', { method: 'POST', headers: sessionHeaders });
}

/**
 * Leaves the page for a login at a second issuer, whose identity this session can then link.
 * @throws Error with the gateway's message
 */
export async function startLink(issuer: string): Promise<void> {
  const path = `/auth/link?issuer=${encodeURIComponent(issuer)}`;
  const response = await fetch(path, { method: 'POST', headers: sessionHeaders });
  if (!response.ok) throw new Error((await response.text()).split('\n')[0]);
  const { address } = (await response.json()) as { readonly address: string };
  beginLink(window.sessionStorage);
  window.location.assign(address);
}
