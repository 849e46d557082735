/** Keys by which a client proves that it holds a token (DPoP, RFC 9449). */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { digestOfText } from '@rhizome/digest';

/** A private P-256 key as JWK. */
export interface ProofJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly d: string;
}

/** A request to prove. */
export interface RequestToProve {
  readonly method: string;
  readonly url: string;
  /** The token that is sent with it; undefined where there is none yet. */
  readonly token?: string | undefined;
  /** Value that the server gave: the proof is for this server only. */
  readonly nonce?: string | undefined;
}

/** A key of its own. */
export interface ProofKey {
  /** The thumbprint (RFC 7638) that tokens name. */
  readonly thumbprint: string;
  /** A new proof for one request. */
  proof(request: RequestToProve): string;
  /** Claims signed with the key at this moment, as JWT of a type, with the public key in its header. */
  statement(type: string, claims: object): string;
  /** The private key, for a file that only its owner may read. */
  export(): ProofJwk;
}

/** Makes a key. */
export function createProofKey(): ProofKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return new EcProofKey(privateKey);
}

/** A key that was exported. @throws TypeError if it is no private P-256 key */
export function openProofKey(jwk: ProofJwk): ProofKey {
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256' || typeof jwk.d !== 'string')
    throw new TypeError('The key is no private P-256 key');
  return new EcProofKey(createPrivateKey({ key: { ...jwk }, format: 'jwk' }));
}

class EcProofKey implements ProofKey {
  readonly thumbprint: string;
  readonly #key: KeyObject;
  readonly #publicKey: object;

  constructor(key: KeyObject) {
    this.#key = key;
    const { x, y } = this.export();
    this.thumbprint = digestOfText(JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }));
    this.#publicKey = { kty: 'EC', crv: 'P-256', x, y };
  }

  proof({ method, url, token, nonce }: RequestToProve): string {
    return this.statement('dpop+jwt', {
      jti: randomUUID(),
      htm: method,
      htu: url.replace(/[?#].*$/, ''),
      ...(token !== undefined && { ath: digestOfText(token) }),
      ...(nonce !== undefined && { nonce }),
    });
  }

  statement(type: string, claims: object): string {
    const header = encoded({ typ: type, alg: 'ES256', jwk: this.#publicKey });
    const signed = `${header}.${encoded({ ...claims, iat: Math.floor(Date.now() / 1000) })}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  export(): ProofJwk {
    const { x = '', y = '', d = '' } = this.#key.export({ format: 'jwk' });
    return { kty: 'EC', crv: 'P-256', x, y, d };
  }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
