import { readFile } from 'node:fs/promises';
import { DomainError } from '@rhizome/errors';
import { SyslogExport, type SyslogExportOptions } from './syslog-export.js';

/** Settings of the copies for a syslog server. */
export interface SyslogSettings extends Pick<SyslogExportOptions, 'waitingMessages'> {
  /** `tls://host:port` or `tcp://host:port`; default ports 6514 and 601. */
  readonly url: string;
  /** File with the certificates of its authority; default: those of the system. */
  readonly caFile?: string | undefined;
  /** Files with a client certificate and its private key. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Reads the files of the settings. @throws DomainError CONFIG_INVALID if one cannot be read */
export async function openSyslogExport(
  { url, caFile, certFile, keyFile, waitingMessages }: SyslogSettings,
  ports: Pick<SyslogExportOptions, 'log' | 'onLost'>,
): Promise<SyslogExport> {
  const [ca, cert, key] = await Promise.all([
    read('caFile', caFile),
    read('certFile', certFile),
    read('keyFile', keyFile),
  ]);
  return new SyslogExport({ target: { url, ca, cert, key }, waitingMessages, ...ports });
}

async function read(name: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const field = `audit.syslog.${name}`;
    const text = `${field}: ${path} cannot be read; must be a file in PEM format`;
    throw new DomainError('CONFIG_INVALID', text, { field, value: path, expected: 'a file' }, { cause });
  }
}
