/** The `jti` of Rhizome's tokens: `<issuer>/<family>.<number>`, so that one revocation reaches a family. */

/** Parts of a `jti`. */
export interface TokenIdParts {
  /** Name of the record of the outside issuer; undefined for tokens that did not come from one. */
  readonly issuerName: string | undefined;
  /** The login, exchange or enrolment that the token follows from. */
  readonly family: string;
}

/** Writes a `jti`. @param unique distinguishes the tokens of a family */
export function tokenIdOf({ issuerName, family }: TokenIdParts, unique: string): string {
  return `${issuerName === undefined ? '' : `${issuerName}/`}${family}.${unique}`;
}

/** Reads a `jti`; undefined for one of another form. */
export function readTokenId(tokenId: string | undefined): TokenIdParts | undefined {
  const found = /^(?:([a-z][a-z0-9-]{1,62})\/)?([A-Za-z]+_[0-9A-Z]{26})\.[0-9A-Za-z_]+$/.exec(tokenId ?? '');
  return found?.[2] === undefined ? undefined : { issuerName: found[1], family: found[2] };
}
