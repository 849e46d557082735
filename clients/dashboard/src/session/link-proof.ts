/** The proof of a second identity, which the gateway makes after a login to link it. */

/** An account at an issuer. */
export interface Account {
  readonly issuer: string;
  readonly subject: string;
}

/** The account that a proof names, to show it to the person; null for another text. */
export function accountOfProof(proof: string): Account | null {
  try {
    const part = (proof.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    const { iss, sub } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    return typeof iss === 'string' && typeof sub === 'string' ? { issuer: iss, subject: sub } : null;
  } catch {
    return null;
  }
}
