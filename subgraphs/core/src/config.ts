/** Configuration of a core process: environment over a YAML file over defaults. */
import { assertSecureListening, assertSecureTransport, gatewayKeySettings } from '@rhizome/authz';
import { defaultSecretLimits } from './secrets/secrets.service.js';
import { defaultQuotas } from './jobs/submit/live-quota.js';
import { defaultFiles } from './files/files-config.js';
import { defaultUploads } from './files/uploads/uploads-config.js';
import {
  type DeepReadonly,
  loadConfig,
  redact,
  type Setting,
  settingsOf,
  tlsSettings,
  z,
} from '@rhizome/config';

const schema = z.strictObject({
  mongoUri: z
    .string()
    .regex(
      /^mongodb(\+srv)?:\/\//,
      'expected a connection string that begins with mongodb:// or mongodb+srv://',
    ),
  database: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'expected 1 to 63 letters, digits, "_", "-"')
    .default('core'),
  host: z.string().min(1).default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(4101),
  /** File that gets the GraphQL URL once the process listens. */
  addressFile: z.string().min(1).optional(),
  /** Certificate of the service; without it, it speaks plain HTTP. */
  tls: tlsSettings.optional(),
  /** Permits plain HTTP outside this machine, as behind a proxy that ends TLS. */
  insecureTransport: z.boolean().default(false),
  /** Address at which other core processes reach this one; defaults to its own address. */
  advertisedUrl: z.url().optional(),
  /** Keys of the gateway, whose call tokens are the only accepted ones. */
  gatewayKeys: gatewayKeySettings.refine(
    ({ jwksUri, jwksFile }) => (jwksUri === undefined) !== (jwksFile === undefined),
    { message: 'expected jwksUri or jwksFile' },
  ),
  /**
   * Where this process learns which rights callers have now: bulk changes that continue after their call, and
   * submissions for other people, check them. Without it, the rights of the caller's token count.
   */
  rights: z
    .strictObject({
      /** Address of a gateway with an identity store. */
      url: z.url().optional(),
      /**
       * Private key by which the gateways know core, a JWK with mode 0600; created if there is none. The
       * public half is written to the same path with `.jwks`, for the setting `coreKeys` of the gateways. All
       * core processes share the key.
       */
      keyFile: z.string().min(1).optional(),
      /** Permits plain HTTP to another machine. */
      insecureTransport: z.boolean().default(false),
    })
    .refine(({ url, keyFile }) => (url === undefined) === (keyFile === undefined), {
      message: 'expected both url and keyFile, or neither',
    })
    .prefault({}),
  introspection: z.boolean().default(false),
  /** Serves `/metrics` without a token; otherwise it needs the permission `metrics:scrape`. */
  openMetrics: z.boolean().default(false),
  /** Executor of operations: compiled to code, or graphql-js. */
  execution: z.enum(['jit', 'interpreted']).default('jit'),
  drainSeconds: z.int().min(1).max(600).default(10),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  events: z
    .strictObject({
      ringSize: z.int().min(1000).max(10_000_000).default(131_072),
      bufferSize: z.int().min(10).max(1_000_000).default(4096),
      countsSaveMs: z.int().min(100).max(600_000).default(5000),
    })
    .prefault({}),
  broker: z
    .strictObject({
      leaseMs: z.int().min(1000).max(60_000).default(5000),
      renewMs: z.int().min(100).max(20_000).default(1000),
    })
    .refine(({ leaseMs, renewMs }) => leaseMs >= 2 * renewMs, {
      message: 'expected leaseMs of at least twice renewMs',
    })
    .prefault({}),
  leaseClock: z
    .strictObject({
      /**
       * Workers lose their leases only while a gateway reports that it accepts pilots. False where pilots
       * reach core in another way than through a gateway of Rhizome.
       */
      needsGateway: z.boolean().default(true),
    })
    .prefault({}),
  quotas: z
    .strictObject({
      liveJobsPerOwner: z.int().min(1).default(defaultQuotas.liveJobsPerOwner),
      liveBytesPerOwner: z.int().min(1).default(defaultQuotas.liveBytesPerOwner),
      liveJobsPerExperiment: z.int().min(1).default(defaultQuotas.liveJobsPerExperiment),
      liveBytesPerExperiment: z.int().min(1).default(defaultQuotas.liveBytesPerExperiment),
    })
    .prefault({}),
  secrets: z
    .strictObject({
      /**
       * File with the master keys of secrets, one a line, 32 bytes in base64; the first one encrypts. Created
       * with mode 0600 if there is none. All processes of core share it.
       */
      masterKeyFile: z.string().min(1).optional(),
      /** Master key in the transit engine of HashiCorp Vault or OpenBao, instead of the file. */
      transit: z
        .strictObject({
          url: z.url(),
          mount: z.string().min(1).default('transit'),
          /** Name of an `aes256-gcm96` key. */
          key: z.string().min(1),
          /** File with the token; read before each request. */
          tokenFile: z.string().min(1),
          insecureTransport: z.boolean().default(false),
        })
        .optional(),
      /** Secrets that a user or an experiment may have. */
      count: z.int().min(1).max(1000).default(defaultSecretLimits.count),
      /** Bytes that the values of a user's or an experiment's secrets may have together. */
      bytes: z.int().min(1).default(defaultSecretLimits.bytes),
      /** Seconds after which a replaced master key is noticed. */
      rewrapSeconds: z.int().min(1).max(86_400).default(30),
    })
    .refine(({ masterKeyFile, transit }) => masterKeyFile === undefined || transit === undefined, {
      message: 'expected masterKeyFile or transit, not both',
    })
    .prefault({}),
  files: z
    .strictObject({
      /**
       * Folder with the credentials of storages, one file `NAME.json` each. All processes of core have the
       * same ones.
       */
      credentialFolder: z.string().min(1).optional(),
      /** Seconds for which addresses of files are valid. */
      addressSeconds: z.int().min(60).max(3600).default(defaultFiles.addressSeconds),
      /** Seconds after the end of a job after which files of its superseded attempts are removed. */
      removeAfterSeconds: z.int().min(3600).max(31_536_000).default(defaultFiles.removeAfterSeconds),
      uploads: z
        .strictObject({
          /** MiB that the uploads of a user in an experiment may have; parts that they share count once. */
          ownerMib: z.int().min(1).max(1_073_741_824).default(defaultUploads.ownerMib),
          /** MiB that all uploads of an experiment may have. */
          experimentMib: z.int().min(1).max(1_073_741_824).default(defaultUploads.experimentMib),
          /** Files that the uploads of a user in an experiment may have. */
          ownerFiles: z.int().min(1).max(2_147_483_647).default(defaultUploads.ownerFiles),
          /** Files that all uploads of an experiment may have. */
          experimentFiles: z.int().min(1).max(2_147_483_647).default(defaultUploads.experimentFiles),
          /** Days for which an upload is kept after its latest use. */
          keepDays: z.int().min(1).max(3650).default(defaultUploads.keepDays),
        })
        .prefault({}),
    })
    .prefault({}),
});

/** Configuration of a core process. */
export type ProcessConfig = DeepReadonly<z.output<typeof schema>>;

const secrets = ['mongoUri'];
const prefix = 'RHIZOME_CORE_';

/** Settings, for the reference page. */
export const settings: readonly Setting[] = settingsOf(schema, prefix);

/**
 * Reads the configuration. Variables begin with `RHIZOME_CORE_`, and `RHIZOME_CORE_CONFIG` names the YAML
 * file.
 * @throws DomainError CONFIG_INVALID with all errors
 */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): ProcessConfig {
  const { RHIZOME_CORE_CONFIG: file, ...variables } = env;
  const config = loadConfig({ schema, env: variables, prefix, secrets, ...(file ? { file } : {}) });
  assertSecureListening(config);
  const { advertisedUrl, insecureTransport, rights } = config;
  if (rights.url !== undefined) assertSecureTransport(rights.url, { ...rights, field: 'rights.url' });
  if (advertisedUrl !== undefined)
    assertSecureTransport(advertisedUrl, { field: 'advertisedUrl', insecureTransport });
  return config;
}

/** Configuration for a log line. */
export function shownConfig(config: ProcessConfig): Record<string, unknown> {
  return redact(config, secrets);
}
