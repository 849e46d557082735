/**
 * The system under attack: the store, core, all experiments and two gateways, each a process of its own. The
 * second gateway has identities, and thus the endpoints of tokens and of logins.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { coreIssuer, createCallSigner, roles } from '@rhizome/authz';
import { connectMongo, freePort } from '@rhizome/mongo';
import { type Service, startGateway } from '@rhizome/playground';
import { leftovers, type TestClient } from '@rhizome/testkit';
import { type ServiceSystem, startServices } from '../../e2e/system/service-system.js';
import { type Attackers, attackersOf, coreKeyFile } from './attackers.js';
import { type BrowserLogin, logInByBrowser } from './browser-login.js';
import { Evidence } from './evidence.js';
import { type IdentityTargets, prepareIdentityTargets } from './identity-targets.js';
import { prepareTargets, type Targets } from './targets.js';

/** Name of the cookie with the session of a browser. */
export const sessionCookie = '__Host-rhizome';

/** Experiments of the system. */
export const experiments = ['atlas', 'epic', 'larkspur', 'rubin'] as const;

/** The running system, and what attackers know of it. */
export interface AttackSystem extends Attackers {
  readonly services: ServiceSystem;
  readonly store: TestClient;
  /** The gateway with identities. */
  readonly identities: Service;
  readonly targets: Targets & IdentityTargets;
  /** A person of atlas who has logged in at the gateway with identities. */
  readonly login: BrowserLogin;
  /** Everything that was answered, and the secrets that must not be in it. */
  readonly evidence: Evidence;
  /** Address of one of the services: `gateway`, `identities`, `core`, `larkspur`. */
  origin(service: string): string;
  /** The processes, by name. */
  pids(): Readonly<Record<string, number>>;
}

/** Starts the system with the objects that attacks aim at. */
export async function startAttackSystem(): Promise<AttackSystem> {
  const services = await startServices({
    experiments,
    hasIdentities: false,
    // A case is one of many: the rates of callers have tests of their own.
    gatewayEnv: { RHIZOME_GATEWAY_RATES: 'off' },
  });
  const { uri } = services.mongo;
  const store = leftovers.use(await connectMongo({ uri, appName: 'attack' }), 'the client of the store');
  const evidence = new Evidence();
  const attackers = await attackersOf(services, evidence);
  const identities = await startIdentities(services);
  evidence.plant('key', await keysOf(services));
  const targets = await prepareTargets(services, store, evidence);
  const place = { url: identities.url, data: services.data, token: services.token };
  const ofIdentities = await prepareIdentityTargets(place, targets.queue, evidence);
  const { origin: publicOrigin } = new URL(identities.url);
  const login = await logInByBrowser({ origin: publicOrigin, admin: services.token, evidence });
  return {
    ...{ services, store, identities, evidence, login, ...attackers },
    targets: { ...targets, ...ofIdentities },
    origin: (name) => new URL(name === 'identities' ? identities.url : services.service(name).url).origin,
    pids: () => ({
      ...Object.fromEntries(names.map((name) => [name, services.service(name).pid])),
      identities: identities.pid,
    }),
  };
}

const names = ['core', ...experiments, 'gateway'];

/** The private keys of the deployment, as they are in its files. */
async function keysOf({ data }: ServiceSystem): Promise<readonly string[]> {
  const jwks = ['token-key.json', 'call-key.json', coreKeyFile].map(async (file) => {
    const { d } = JSON.parse(await readFile(join(data, file), 'utf8')) as { d: string };
    return d;
  });
  const identity = await readFile(join(data, 'identity.key'), 'utf8');
  const master = await readFile(join(data, 'secrets.keys'), 'utf8');
  return [
    ...(await Promise.all(jwks)),
    identity.trim(),
    ...master.split('\n').filter((line) => line.length > 20),
  ];
}

/** A second gateway, with an issuer of its own. */
async function startIdentities({ data, identities, uriOf }: ServiceSystem): Promise<Service> {
  const port = await freePort();
  const issuers = [
    {
      ...{ issuer: identities.issuer.issuer, jwksFile: join(data, 'jwks.json'), alias: 'site' },
      ...{
        kinds: ['USER', 'AGENT', 'SERVICE', 'QUEUE'],
        roles,
        experiments: '*',
        maxLifetimeSeconds: 604_800,
      },
    },
  ];
  const core = await createCallSigner({ keyFile: join(data, coreKeyFile), issuer: coreIssuer });
  const coreKeys = join(data, `${coreKeyFile}.jwks`);
  await writeFile(coreKeys, JSON.stringify(core.jwks()));
  const world = { data, issuer: identities.issuer, mongoUri: uriOf('gateway') };
  const env = {
    RHIZOME_GATEWAY_RATES: 'off',
    RHIZOME_GATEWAY_ALLOW_QUEUE_TOKENS: 'true',
    RHIZOME_GATEWAY_ISSUERS: JSON.stringify(issuers),
    RHIZOME_GATEWAY_INTROSPECTION: 'off',
    RHIZOME_GATEWAY_GRAPHIQL: 'false',
    RHIZOME_GATEWAY_MCP_ENABLED: 'true',
    RHIZOME_GATEWAY_IDENTITY_ISSUER: `http://127.0.0.1:${port}`,
    RHIZOME_GATEWAY_IDENTITY_KEY_FILE: join(data, 'identity.key'),
    RHIZOME_GATEWAY_CORE_KEYS_JWKS_FILE: coreKeys,
  };
  const service = await startGateway({ ...world, env }, { name: 'identities', port });
  leftovers.defer('the gateway with identities', () => service.kill());
  await service.untilReady();
  return service;
}
