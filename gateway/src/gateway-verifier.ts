/** The verifier of a gateway: tokens of the configured issuers, and those of Rhizome's own issuer. */
import {
  accessTokenKinds,
  createVerifier,
  type TokenKind,
  type TrustedIssuer,
  type Verifier,
} from '@rhizome/authz';
import type { Identity } from '@rhizome/identity';

/** Options of {@link createGatewayVerifier}. */
export interface GatewayVerifierOptions {
  /** Issuers whose tokens are accepted directly. */
  readonly issuers: readonly TrustedIssuer[];
  /** The `aud` of accepted tokens; default `rhizome`. */
  readonly audience?: string | undefined;
  /** Services of identity; undefined: Rhizome has no issuer of its own. */
  readonly identity?: Pick<Identity, 'trusted' | 'revocations' | 'people'> | undefined;
  /** Accepts tokens of whole queues, which any of their workers may use; default false. */
  readonly allowQueueTokens?: boolean | undefined;
}

/** Kinds of tokens that callers present to a gateway with an identity store. */
const ownKinds = [...accessTokenKinds, 'WORKER', 'ATTEMPT'] as const;

/** Without services of identity, only access tokens of the issuers are accepted. */
export function createGatewayVerifier(options: GatewayVerifierOptions): Verifier {
  const { issuers, audience, identity, allowQueueTokens = false } = options;
  const audiences = audience === undefined ? {} : { audience };
  const isAllowed = (kind: TokenKind): boolean => allowQueueTokens || kind !== 'QUEUE';
  if (!identity) return createVerifier({ issuers, ...audiences, kinds: accessTokenKinds.filter(isAllowed) });
  const { trusted, revocations, people } = identity;
  const kinds = ownKinds.filter(isAllowed);
  return createVerifier({ issuers: [trusted, ...issuers], ...audiences, revocations, people, kinds });
}

/** Kinds of tokens that the endpoint for assistants accepts. */
const assistantKinds = ['USER', 'SERVICE', 'AGENT'] as const;

/** Options of {@link createMcpVerifier}. */
export interface McpVerifierOptions extends Pick<GatewayVerifierOptions, 'issuers' | 'identity'> {
  /** Address of the endpoint, the only audience that it accepts. */
  readonly url: string;
}

/** The verifier of the endpoint for assistants: tokens for the API are none for it, whatever their issuer. */
export function createMcpVerifier({ issuers, identity, url }: McpVerifierOptions): Verifier {
  const all = identity ? [identity.trusted, ...issuers] : issuers;
  return createVerifier({
    issuers: all.map((issuer) => ({ ...issuer, audiences: [url] })),
    audience: url,
    kinds: assistantKinds,
    ...(identity && { revocations: identity.revocations, people: identity.people }),
  });
}
