import { isLoopbackHost } from '@rhizome/authz';
import { z } from '@rhizome/config';

const positive = z.number().int().positive();

/** A server that gets copies of audit entries. */
const syslogSettings = z
  .strictObject({
    /** `tls://host:port`, or `tcp://host:port` on this machine; default ports 6514 and 601. */
    url: z.string().regex(/^(tls|tcp):\/\/([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?$/, {
      message: 'expected tls://host:port or tcp://host:port',
    }),
    /** File with the certificates of its authority; default: those of the system. */
    caFile: z.string().min(1).optional(),
    /** Files with a certificate of the gateway and its private key. */
    certFile: z.string().min(1).optional(),
    keyFile: z.string().min(1).optional(),
    /** Permits `tcp:` to another machine. */
    insecureTransport: z.boolean().default(false),
    /** Messages that wait for the server; further ones are dropped. */
    waitingMessages: positive.max(1_000_000).default(10_000),
  })
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    message: 'expected both certFile and keyFile, or none of them',
  })
  .refine(({ url, insecureTransport }) => insecureTransport || isSecure(url), {
    message: 'expected tls: for another machine, or insecureTransport: true',
  });

function isSecure(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { protocol, hostname } = new URL(url);
  return protocol !== 'tcp:' || isLoopbackHost(hostname);
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
    /** Server that gets a copy of each entry; without it none does. */
    syslog: syslogSettings.optional(),
  })
  .default({ mode: 'on', database: 'identity', waitMs: 5_000 });
