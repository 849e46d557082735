import { readFile } from 'node:fs/promises';
import { DomainError } from '@rhizome/errors';
import type { AuditBatch } from '../store/audit.repository.js';
import { type CopyChannel, type CopyFacts, CopyQueue, type CopyQueueOptions } from './copy-queue.js';
import { OtlpChannel } from './otlp-channel.js';
import { recordsOf } from './otlp-record.js';
import { SyslogChannel } from './syslog-channel.js';
import { messagesOf } from './syslog-message.js';

/** Settings of a server that gets copies. */
interface CopySettings extends Pick<CopyQueueOptions, 'waitingMessages'> {
  /** File with the certificates of its authority; default: those of the system. */
  readonly caFile?: string | undefined;
  /** Files with a client certificate and its private key. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Settings of the copies for a syslog server. */
export interface SyslogSettings extends CopySettings {
  /** `tls://host:port` or `tcp://host:port`; default ports 6514 and 601. */
  readonly url: string;
}

/** Settings of the copies for a collector. */
export interface OtlpSettings extends CopySettings {
  /** Address of its logs, such as `https://collector.example:4318/v1/logs`. */
  readonly url: string;
  /** File with the value of the header `Authorization`. */
  readonly authorizationFile?: string | undefined;
}

/** Servers that get copies. */
export interface ExportSettings {
  readonly syslog?: SyslogSettings | undefined;
  readonly otlp?: OtlpSettings | undefined;
}

/** Copies for a server. */
export interface AuditExport {
  /** Setting that configures it. */
  readonly name: keyof ExportSettings;
  readonly facts: CopyFacts;
  /** Sends the messages of a stored batch later. */
  send(batch: AuditBatch): void;
  close(): Promise<void>;
}

type Ports = Pick<CopyQueueOptions, 'log' | 'onLost'>;

/** Reads the files of the settings. @throws DomainError CONFIG_INVALID if one cannot be read */
export async function openExports({ syslog, otlp }: ExportSettings, ports: Ports): Promise<AuditExport[]> {
  const opened = await Promise.all([syslog && openSyslog(syslog, ports), otlp && openOtlp(otlp, ports)]);
  return opened.filter((one) => one !== undefined);
}

async function openSyslog(settings: SyslogSettings, ports: Ports): Promise<AuditExport> {
  const { url, waitingMessages } = settings;
  const channel = new SyslogChannel({ url, ...(await identityOf('audit.syslog', settings)) });
  return exportOf('syslog', channel, messagesOf, { ...ports, waitingMessages });
}

async function openOtlp(settings: OtlpSettings, ports: Ports): Promise<AuditExport> {
  const { url, waitingMessages, authorizationFile } = settings;
  const field = 'audit.otlp';
  const [identity, authorization] = await Promise.all([
    identityOf(field, settings),
    read(`${field}.authorizationFile`, authorizationFile, 'a file with the value of the header'),
  ]);
  const channel = new OtlpChannel({ url, ...identity, authorization: authorization?.trim() });
  return exportOf('otlp', channel, recordsOf, { ...ports, waitingMessages });
}

function exportOf(
  name: AuditExport['name'],
  channel: CopyChannel,
  encode: (batch: AuditBatch) => readonly Buffer[],
  options: Omit<CopyQueueOptions, 'channel'>,
): AuditExport {
  const queue = new CopyQueue({ ...options, channel });
  return {
    name,
    get facts() {
      return queue.facts;
    },
    send: (batch) => queue.send(encode(batch)),
    close: () => queue.close(),
  };
}

interface PemTexts {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

async function identityOf(name: string, { caFile, certFile, keyFile }: CopySettings): Promise<PemTexts> {
  const [ca, cert, key] = await Promise.all([
    read(`${name}.caFile`, caFile),
    read(`${name}.certFile`, certFile),
    read(`${name}.keyFile`, keyFile),
  ]);
  return { ca, cert, key };
}

async function read(
  field: string,
  path: string | undefined,
  expected = 'a file in PEM format',
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const text = `${field}: ${path} cannot be read; must be ${expected}`;
    throw new DomainError('CONFIG_INVALID', text, { field, value: path, expected: 'a file' }, { cause });
  }
}
