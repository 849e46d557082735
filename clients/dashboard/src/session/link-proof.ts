/** The proof of a second identity, which the gateway makes after a login to link it. */

/** Set while this tab logs in to link an account: a proof that anybody else sends is ignored. */
const key = 'rhizome:link';

type Marks = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Notes that this tab begins a login to link an account. */
export function beginLink(storage: Marks): void {
  storage.setItem(key, 'begun');
}

/** The proof with which the browser came back; null unless this tab began the login. */
export function proofOfTab(linked: string | null, storage: Marks): string | null {
  const isBegun = storage.getItem(key) !== null;
  storage.removeItem(key);
  return isBegun ? linked : null;
}

/** An account at an issuer. */
export interface Account {
  /** Name of the person, as the issuer has it; null if it gave none. */
  readonly name: string | null;
  readonly issuer: string;
  readonly subject: string;
}

/** The account that a proof names, to show it to the person; null for another text. */
export function accountOfProof(proof: string): Account | null {
  try {
    const part = (proof.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    const { iss, sub, name } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    if (typeof iss !== 'string' || typeof sub !== 'string') return null;
    return { issuer: iss, subject: sub, name: typeof name === 'string' ? name : null };
  } catch {
    return null;
  }
}
