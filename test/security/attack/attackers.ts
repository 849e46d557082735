/** Callers that attack, and the tokens that they have. */
import { join } from 'node:path';
import {
  coreIssuer,
  createCallSigner,
  createPrincipal,
  never,
  type Principal,
  rightsAudience,
  type Role,
} from '@rhizome/authz';
import type { ServiceSystem } from '../../e2e/system/service-system.js';
import type { Evidence } from './evidence.js';

/**
 * Rights with which a case attacks; those of a role hold in one experiment, larkspur by default. `core` has
 * the token by which core asks a gateway for rights.
 */
export const callers = [
  'nobody',
  'reader',
  'user',
  'production',
  'operator',
  'admin',
  'everything',
  'pilot',
  'agent',
  'service',
  'attempt',
  'call',
  'core',
  'expired',
] as const;

/** One of {@link callers}. */
export type Caller = (typeof callers)[number];

/** Experiment in which a caller has its role. */
export type Home = 'larkspur' | 'atlas';

/** Callers whose tokens last as long as the system. */
type LastingCaller = Exclude<Caller, 'nobody' | 'call' | 'core'>;

/** Tokens by caller. */
export type Tokens = Readonly<Record<LastingCaller, string>>;

/** Gets the tokens of callers. */
export interface Attackers {
  /** Tokens of callers with roles in larkspur. */
  readonly tokens: Tokens;
  /** A token that is valid now: those of calls are valid for a minute. */
  tokenOf(caller: Exclude<Caller, 'nobody'>, home?: Home): Promise<string>;
}

/** File with the key by which core signs its questions about rights, in the data folder. */
export const coreKeyFile = 'core-rights-key.json';

/** Makes the tokens, and plants them. */
export async function attackersOf(services: ServiceSystem, evidence: Evidence): Promise<Attackers> {
  const tokens = {
    larkspur: await tokensOf(services, 'larkspur'),
    atlas: await tokensOf(services, 'atlas'),
  };
  evidence.plant(
    'token',
    Object.values(tokens).flatMap((some) => Object.values(some)),
  );
  const keyFile = join(services.data, coreKeyFile);
  const core = await createCallSigner({ keyFile, issuer: coreIssuer });
  const { calls } = services.identities;
  return {
    tokens: tokens.larkspur,
    tokenOf: async (caller, home = 'larkspur') => {
      if (caller !== 'call' && caller !== 'core') return tokens[home][caller];
      const token =
        caller === 'core'
          ? await core.tokenFor(principalOf('SERVICE', 'core'), rightsAudience)
          : await calls.tokenFor(principalOf('HUMAN', 'admin@attack', 'larkspur'), 'larkspur');
      evidence.plant('token', [token]);
      return token;
    },
  };
}

/** A principal as the token of a call names it; ADMIN of the experiment. */
function principalOf(kind: 'HUMAN' | 'SERVICE', subject: string, experiment?: Home): Principal {
  const grants = experiment === undefined ? [] : [{ experiment, roles: ['ADMIN'] as const }];
  return createPrincipal({ kind, subject, grants, expiresAt: never });
}

async function tokensOf({ identities, token }: ServiceSystem, experiment: Home): Promise<Tokens> {
  const { issuer } = identities;
  const of = (role: Role) => [{ experiment, roles: [role] }];
  const human = (role: Role): Promise<string> =>
    issuer.mint({
      subject: `${role.toLowerCase()}@attack`,
      kind: 'HUMAN',
      grants: of(role),
      ttlSeconds: 7200,
    });
  const agent = { subject: 'agent@attack', kind: 'AGENT', actsFor: 'admin@attack' } as const;
  return {
    reader: await human('READER'),
    user: await human('USER'),
    production: await human('PRODUCTION'),
    operator: await human('OPERATOR'),
    admin: await human('ADMIN'),
    everything: token,
    pilot: await identities.pilot('elsewhere'),
    agent: await issuer.mint({ ...agent, grants: of('ADMIN'), boundedBy: of('ADMIN'), ttlSeconds: 7200 }),
    service: await identities.service(experiment),
    attempt: await issuer.mint({
      ...{ subject: 'admin@attack', kind: 'HUMAN', grants: of('ADMIN'), ttlSeconds: 7200 },
      ...{ tokenKind: 'ATTEMPT', attempt: { job: 'job_x', number: 1, fence: 1 } },
    } as never),
    expired: await issuer.mint({
      ...{ subject: 'admin@attack', kind: 'HUMAN', grants: of('ADMIN') },
      ...{ ttlSeconds: 60, issuedAt: new Date(Date.now() - 7_200_000) },
    }),
  };
}
