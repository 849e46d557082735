import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { assertSecureListening, issuerSettings, principalKinds, roles } from '@rhizome/authz';
import { type DeepReadonly, loadConfig, tlsSettings, z } from '@rhizome/config';
import { DomainError } from '@rhizome/errors';
import { agentSettings } from './agent-settings.js';
import { auditSettings } from './audit-settings.js';
import { identitySettings } from './identity-settings.js';
import { isExactOrigin, isLoopback, isNetwork, ratedCallers, rateNames } from './policy/index.js';

const positive = z.number().int().positive();

const rate = z.strictObject({ perSecond: z.number().positive(), burst: z.number().positive() });
const callerRates = z.strictObject(Object.fromEntries(rateNames.map((name) => [name, rate.optional()])));

const schema = z.object({
  /** Address to listen on. */
  host: z.string().min(1).default('127.0.0.1'),
  /** Port to listen on; 0 takes a free one. */
  port: z.number().int().min(0).max(65_535).default(4000),
  /** File that gets the GraphQL URL once the process listens. */
  addressFile: z.string().min(1).optional(),
  /** Certificate of the service; without it, it speaks plain HTTP. */
  tls: tlsSettings
    .extend({
      /** Asks clients for a certificate (mutual TLS), to which the credential of a worker may be bound. */
      requestsClientCertificates: z.boolean().default(false),
    })
    .optional(),
  /** Permits plain HTTP outside this machine, as behind a proxy that ends TLS. */
  insecureTransport: z.boolean().default(false),
  /** Path of a Federation 2 supergraph; the alternative is a store with the schema registry. */
  supergraph: z.string().min(1).optional(),
  /** Connection string of the store with the schema registry, whose live version is served. */
  mongoUri: z.string().min(1).optional(),
  /** Name of the gateway's own database in the store. */
  database: z.string().min(1).default('gateway'),
  /** `off` disables authentication; only allowed on a loopback address. */
  auth: z.enum(['jwt', 'off']).default('jwt'),
  /** Trusted issuers: name, and the address of the published keys or a file with them. */
  issuers: z.array(issuerSettings).default([]),
  /** The `aud` that tokens must carry. */
  audience: z.string().min(1).default('rhizome'),
  /**
   * Accepts tokens of a whole queue (`sub: pilot:<queue>`) in a gateway with an identity store: one such
   * token acts for every worker of the queue. A gateway without an identity store knows no other tokens for
   * pilots.
   */
  allowQueueTokens: z.boolean().default(false),
  /** Issuers, principals and Rhizome's own tokens. */
  identity: identitySettings,
  /**
   * Keys of core, which asks a gateway with an identity store for the rights that principals have now;
   * without them it may not ask.
   */
  coreKeys: z
    .strictObject({
      /** Address where the keys are published. */
      jwksUri: z.url().optional(),
      /** Or a file that holds them; core writes one next to its `rights.keyFile`. */
      jwksFile: z.string().min(1).optional(),
      /** Permits plain HTTP to another host. */
      insecureTransport: z.boolean().default(false),
    })
    .refine(({ jwksUri, jwksFile }) => jwksUri === undefined || jwksFile === undefined, {
      message: 'expected either jwksUri or jwksFile',
    })
    .prefault({}),
  /** Addresses and networks (CIDR) of proxies whose `X-Forwarded-For` counts as the client's address. */
  trustedProxies: z
    .array(z.string().refine(isNetwork, { error: 'must be an IP address or a network such as 10.0.0.0/8' }))
    .default([]),
  /**
   * Private key that signs the tokens for subgraphs, a JWK with mode 0600; created if there is none. Gateways
   * of one graph share it. Default: a key that lives as long as the process.
   */
  callKeyFile: z.string().min(1).optional(),
  /**
   * Hosts, `*.domain`, addresses and networks (CIDR) at which subgraphs may be registered and called.
   * Default: public addresses, and this machine if the gateway listens on a loopback address.
   */
  endpoints: z.array(z.string().min(1)).default([]),
  /** The audit log: mutations, refusals, logins and calls of agents. */
  audit: auditSettings,
  /** Proposals of agents. */
  agents: agentSettings,
  /** Roles that hold scopes of `@requiresScopes` which experiments define; ADMIN holds all. */
  scopes: z
    .record(z.string().regex(/^[a-z][A-Za-z0-9]*:[a-z][A-Za-z0-9]*$/), z.array(z.enum(roles)))
    .default({}),
  /** Policies by the names that `@policy` uses: kinds, roles and experiments, each of which must hold. */
  policies: z
    .record(
      z.string(),
      z.strictObject({
        kinds: z.array(z.enum(principalKinds)).min(1).optional(),
        roles: z.array(z.enum(roles)).min(1).optional(),
        experiments: z.array(z.string().min(1)).min(1).optional(),
      }),
    )
    .default({}),
  /** Callers that may use introspection. */
  introspection: z.enum(['token', 'open', 'off']).default('token'),
  /** Serves `/metrics` without a token; otherwise it needs the permission `metrics:scrape`. */
  openMetrics: z.boolean().default(false),
  /** Serves GraphiQL. */
  graphiql: z.boolean().default(false),
  /** Folder of the built dashboard, served at `/`; none by default. */
  dashboard: z.string().min(1).optional(),
  /** Origins of storages, such as `https://files.example.org`, from which the dashboard may read files. */
  fileOrigins: z
    .array(
      z.string().refine(isExactOrigin, {
        error: 'must be an origin such as https://files.example.org, without path and wildcard',
      }),
    )
    .max(50)
    .default([]),
  /** Shows messages of subgraph errors without a code to clients. */
  uncodedMessages: z.boolean().default(false),
  logLevel: z.enum(['error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** The endpoint for assistants, `/mcp`. */
  mcp: z
    .strictObject({
      enabled: z.boolean().default(false),
      /** Its public address, the audience of its tokens; default: `/mcp` at `identity.issuer`. */
      url: z.url().optional(),
      /** Origins of pages that may call it, in addition to its own. */
      origins: z.array(z.string().min(1)).default([]),
      /** Offers the tool that runs queries of the caller. */
      runQuery: z.boolean().default(true),
      /** Folders with operations by subgraph, for a gateway that serves a supergraph file. */
      operations: z.record(z.string(), z.string().min(1)).default({}),
    })
    .prefault({}),
  /** Time that a shutdown waits for running operations, in milliseconds. */
  drainMs: z.number().int().min(0).max(600_000).default(3000),
  /** Subgraphs at other addresses than in the supergraph. */
  subgraphs: z
    .record(
      z.string(),
      z.strictObject({
        url: z.url().optional(),
        /** Default: the URL with `ws` for `http`. */
        webSocketUrl: z.url().optional(),
        timeoutMs: positive.optional(),
        /** Experiment it belongs to, whose grants it sees; null: it sees all. Only without a registry. */
        experiment: z.string().min(1).nullable().optional(),
        /** Maximum number of concurrent calls. */
        concurrency: positive.optional(),
      }),
    )
    .default({}),
  /** Operations that clients may send by their hash. */
  persistedOperations: z
    .strictObject({
      /** Keeps documents that clients send together with their hash. */
      automatic: z.boolean().default(true),
      /** Refuses all documents that are in no manifest. */
      only: z.boolean().default(false),
      /** Manifests that the builds of clients have written. */
      manifests: z
        .array(
          z.strictObject({
            file: z.string().min(1),
            /** Name of the client, as it reports it. */
            client: z.string().min(1).optional(),
            /** Refuses documents of this client that are in none of its manifests. */
            only: z.boolean().default(false),
          }),
        )
        .default([]),
    })
    .prefault({}),
  /** Rates of callers by kind; `off` for none. Quantities that are not set have their defaults. */
  rates: z
    .union([
      z.literal('off'),
      z.strictObject(Object.fromEntries(ratedCallers.map((caller) => [caller, callerRates.optional()]))),
    ])
    .optional(),
  limits: z
    .object({
      bodyBytes: positive.optional(),
      reportBodyBytes: positive.optional(),
      smallBodyBytes: positive.optional(),
      initFrameBytes: positive.optional(),
      initBytes: positive.optional(),
      waitingSockets: positive.optional(),
      waitingSocketsPerAddress: positive.optional(),
      depth: positive.optional(),
      aliases: positive.optional(),
      rootFields: positive.optional(),
      directives: positive.optional(),
      cost: positive.optional(),
      assumedListSize: positive.optional(),
      documentBytes: positive.optional(),
      documentTokens: positive.optional(),
      planTimeoutMs: positive.optional(),
      streams: positive.optional(),
      streamsPerSubject: positive.optional(),
      pilotStreams: positive.optional(),
      socketsPerSubject: positive.optional(),
      streamsPerPilot: positive.optional(),
      socketsPerPilot: positive.optional(),
      runningOperations: positive.optional(),
      waitingPerSubject: positive.optional(),
      waitingBytesPerSubject: positive.optional(),
      waitingCalls: positive.optional(),
      waitingCallsPerSubject: positive.optional(),
      waitingCallsPerAttempt: positive.optional(),
      bufferedEvents: positive.optional(),
      bufferedCharacters: positive.optional(),
      reopenForMs: positive.optional(),
      keepAliveMs: positive.optional(),
      pilotKeepAliveMs: positive.optional(),
      subgraphTimeoutMs: positive.optional(),
    })
    .default({}),
});

/** Configuration of the gateway's process. */
export type GatewayConfig = DeepReadonly<z.output<typeof schema>>;

/** Result of parsing the command line. */
export type CommandLine = { readonly help: string } | { readonly config: GatewayConfig };

const usage = `Usage: rhizome-gateway [--supergraph FILE] [--port N] [--host ADDRESS] [--no-auth] [--config FILE]

Serves a Federation 2 supergraph: GraphQL over HTTP, event streams and WebSocket at /graphql.

  --supergraph FILE  supergraph to serve, with the addresses of its subgraphs; without it the gateway serves the schema
                     registry in the store at RHIZOME_GATEWAY_MONGO_URI
  --port N           port to listen on (default 4000; 0 selects a free one)
  --host ADDRESS     address to listen on (default 127.0.0.1)
  --no-auth          disable authentication; only allowed on a loopback address
  --config FILE      YAML file with settings; overridden by environment variables RHIZOME_GATEWAY_… and by options
`;

/**
 * Reads the configuration; options override the environment, which overrides the file, which overrides
 * defaults.
 * @throws DomainError CONFIG_INVALID with all errors
 */
export function readCommandLine(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine {
  const options = parseOptions(args);
  if (options.help) return { help: usage };
  const given = {
    RHIZOME_GATEWAY_SUPERGRAPH: options.supergraph,
    RHIZOME_GATEWAY_PORT: options.port,
    RHIZOME_GATEWAY_HOST: options.host,
    RHIZOME_GATEWAY_AUTH: options['no-auth'] ? 'off' : undefined,
  };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const config = loadConfig({
    schema,
    env: { ...env, ...set },
    prefix: 'RHIZOME_GATEWAY_',
    file: options.config ?? env['RHIZOME_GATEWAY_CONFIG'],
    secrets: ['mongoUri', 'identity.mongoUri', 'audit.mongoUri', 'agents.mongoUri'],
  });
  checkGraph(config);
  checkIdentities(config);
  checkMcp(config);
  assertSecureListening(config);
  checkRetention(config);
  return { config };
}

function parseOptions(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        supergraph: { type: 'string' },
        port: { type: 'string' },
        host: { type: 'string' },
        config: { type: 'string' },
        'no-auth': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return values;
  } catch (error) {
    throw new DomainError(
      'CONFIG_INVALID',
      `${error instanceof Error ? error.message : String(error)}\n\n${usage}`,
    );
  }
}

function checkGraph({ supergraph, mongoUri }: GatewayConfig): void {
  if ((supergraph === undefined) !== (mongoUri === undefined)) return;
  const expected = 'either --supergraph FILE (RHIZOME_GATEWAY_SUPERGRAPH) or RHIZOME_GATEWAY_MONGO_URI';
  const text =
    supergraph === undefined
      ? `supergraph: neither RHIZOME_GATEWAY_SUPERGRAPH nor RHIZOME_GATEWAY_MONGO_URI is set; must be ${expected}`
      : `supergraph: RHIZOME_GATEWAY_SUPERGRAPH and RHIZOME_GATEWAY_MONGO_URI are both set; must be ${expected}`;
  throw new DomainError('CONFIG_INVALID', text, { field: 'supergraph', value: supergraph, expected });
}

function checkIdentities({ auth, host, issuers, identity, mongoUri }: GatewayConfig): void {
  if (auth === 'off' && !isLoopback(host)) {
    const text = `host: ${host} is not a loopback address; with --no-auth only loopback is allowed`;
    throw new DomainError('CONFIG_INVALID', text, {
      field: 'auth',
      value: 'off',
      expected: 'jwt, or host 127.0.0.1',
    });
  }
  if (identity.issuer !== undefined && (identity.keyFile === undefined || !(identity.mongoUri ?? mongoUri))) {
    const text =
      'identity: the issuer needs a key file and a store; set identity.keyFile and identity.mongoUri';
    const expected = 'identity.keyFile, and identity.mongoUri or mongoUri';
    throw new DomainError('CONFIG_INVALID', text, { field: 'identity', value: identity.issuer, expected });
  }
  if (auth === 'jwt' && issuers.length === 0 && identity.issuer === undefined) {
    const text = 'issuers: no token issuer is set; set RHIZOME_GATEWAY_ISSUERS, or start with --no-auth';
    throw new DomainError('CONFIG_INVALID', text, {
      field: 'issuers',
      value: [],
      expected: '[{issuer, jwksUri}]',
    });
  }
}

function checkMcp(config: GatewayConfig): void {
  const { mcp, identity, auth } = config;
  if (!mcp.enabled || auth === 'off') return;
  if (mcp.url !== undefined) return checkMcpUrl(mcp.url, config);
  if (identity.issuer !== undefined) return;
  const text = 'mcp.url: it is missing; must be the public address of the endpoint, such as https://host/mcp';
  throw new DomainError('CONFIG_INVALID', text, { field: 'mcp.url', expected: 'an address' });
}

/** Its tokens are separated from all others by this address alone. */
function checkMcpUrl(url: string, { identity, audience }: GatewayConfig): void {
  const { issuer, otherAudiences, storages } = identity;
  const others = [audience, issuer, ...otherAudiences, ...storages.map((one) => one.audience)];
  const expected = 'an address with the path /mcp that is no audience of other tokens';
  if (new URL(url).pathname === '/mcp' && !others.includes(url)) return;
  const text = `mcp.url: ${JSON.stringify(url)} is not possible; must be ${expected}`;
  throw new DomainError('CONFIG_INVALID', text, { field: 'mcp.url', value: url, expected });
}

function checkRetention({ audit }: GatewayConfig): void {
  if (audit.retentionDays === undefined || audit.folder !== undefined) return;
  const text =
    'audit.folder: it is missing; with audit.retentionDays a signed head must name the entries that are removed';
  throw new DomainError('CONFIG_INVALID', text, { field: 'audit.folder', expected: 'a folder' });
}

/** @throws DomainError CONFIG_INVALID when the file cannot be read */
export function readSupergraphFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const text = `supergraph: ${path} cannot be read (${error instanceof Error ? error.message : String(error)})`;
    throw new DomainError('CONFIG_INVALID', text, { field: 'supergraph', value: path, expected: 'a file' });
  }
}
