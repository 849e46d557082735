import { isLoopbackHost } from '@rhizome/authz';
import { z } from '@rhizome/config';

const positive = z.number().int().positive();

/** Settings of a server that gets copies of audit entries. */
const copies = {
  /** File with the certificates of its authority; default: those of the system. */
  caFile: z.string().min(1).optional(),
  /** Files with a certificate of the gateway and its private key. */
  certFile: z.string().min(1).optional(),
  keyFile: z.string().min(1).optional(),
  /** Permits plain text to another machine. */
  insecureTransport: z.boolean().default(false),
  /** Messages that wait for the server; further ones are dropped. */
  waitingMessages: positive.max(1_000_000).default(10_000),
};

interface Copies {
  readonly url: string;
  readonly insecureTransport: boolean;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

const hasBoth = ({ certFile, keyFile }: Copies): boolean =>
  (certFile === undefined) === (keyFile === undefined);
const bothFiles = { message: 'expected both certFile and keyFile, or none of them' };
const isProtected = ({ url, insecureTransport }: Copies): boolean => insecureTransport || isSecure(url);

/** A syslog server that gets copies of audit entries. */
const syslogSettings = z
  .strictObject({
    /** `tls://host:port`, or `tcp://host:port` on this machine; default ports 6514 and 601. */
    url: z.string().regex(/^(tls|tcp):\/\/([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?$/, {
      message: 'expected tls://host:port or tcp://host:port',
    }),
    ...copies,
  })
  .refine(hasBoth, bothFiles)
  .refine(isProtected, { message: 'expected tls: for another machine, or insecureTransport: true' });

/** A collector that gets copies of audit entries by OTLP/HTTP. */
const otlpSettings = z
  .strictObject({
    /** Address of its logs, such as `https://host:4318/v1/logs`; `http:` on this machine. */
    url: z
      .url({ protocol: /^https?$/ })
      .refine((url) => new URL(url).pathname !== '/' && new URL(url).username === '', {
        message: 'expected an address with a path and no user, such as https://host:4318/v1/logs',
      }),
    /** File with the value of the header `Authorization`. */
    authorizationFile: z.string().min(1).optional(),
    ...copies,
  })
  .refine(hasBoth, bothFiles)
  .refine(isProtected, { message: 'expected https: for another machine, or insecureTransport: true' });

function isSecure(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { protocol, hostname } = new URL(url);
  return (protocol !== 'tcp:' && protocol !== 'http:') || isLoopbackHost(hostname);
}

/** Settings of the audit log: mutations, refusals, logins and calls of agents. */
export const auditSettings = z
  .strictObject({
    /** `off` records nothing. */
    mode: z.enum(['on', 'off']).default('on'),
    /** Store of the log; default: that of the schema registry. Without a store there is no log. */
    mongoUri: z.string().min(1).optional(),
    /** Name of the database with the log. */
    database: z.string().min(1).default('identity'),
    /** Folder of signed heads, outside the store; without it none are written. */
    folder: z.string().min(1).optional(),
    /** File of the key that signs heads; default `key.json` in the folder. */
    keyFile: z.string().min(1).optional(),
    /** Days for which entries are kept; needs a folder. Default: without end. */
    retentionDays: positive.optional(),
    /** Time that a call waits for its entry to be stored, in milliseconds. */
    waitMs: positive.max(60_000).default(5_000),
    /** Servers that get a copy of each entry; without them none does. */
    syslog: syslogSettings.optional(),
    otlp: otlpSettings.optional(),
  })
  .default({ mode: 'on', database: 'identity', waitMs: 5_000 });
