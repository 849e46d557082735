/** `rhizome admin keys`: the keys that the services of a deployment share. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { createProofKey } from '@rhizome/client';
import type { World } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import { type Output, printJson, printLine, printTable } from '../../output.js';

interface KeyFile {
  readonly name: string;
  /** Setting that names the file. */
  readonly setting: string;
  readonly text: string;
}

/** Adds the command. */
export function addKeys(group: Command, world: World, finish: Finish): void {
  const making = group
    .command('keys')
    .argument('<folder>', 'folder for the files; created if there is none')
    .description('make the keys that all processes of a deployment share, one file each with mode 0600');
  making.action((folder: string) => {
    const { json } = making.optsWithGlobals<{ readonly json?: boolean }>();
    const output: Output = { json: json === true, stream: world.stdout, errors: world.stderr };
    return finish(makeKeys(resolve(world.cwd, folder), output));
  });
}

/** Names of the files. */
export const keyNames = (): readonly string[] => keyFiles().map(({ name }) => name);

/** Writes all files, or none. @throws CliError if one exists */
async function makeKeys(into: string, output: Output): Promise<ExitCode> {
  const files = keyFiles();
  const existing = files.filter(({ name }) => existsSync(join(into, name)));
  if (existing.length > 0) {
    const names = existing.map(({ name }) => name).join(', ');
    const text = `${into} has ${names} already; keys are not replaced, so choose another folder`;
    throw new CliError(exitCodes.usage, text);
  }
  writeAll(into, files);
  const rows = files.map(({ name, setting }) => ({ file: join(into, name), setting }));
  if (output.json) printJson(output, rows);
  else {
    printTable(
      output,
      ['FILE', 'SETTING'],
      rows.map(({ file, setting }) => [file, setting]),
    );
    printLine(
      output,
      'Keep a copy in a safe place: without these keys, secrets and logins cannot be read again.',
    );
  }
  return exitCodes.ok;
}

function writeAll(into: string, files: readonly KeyFile[]): void {
  const written: string[] = [];
  try {
    mkdirSync(into, { recursive: true, mode: 0o700 });
    for (const { name, text } of files) {
      const path = join(into, name);
      writeFileSync(path, text, { mode: 0o600, flag: 'wx', flush: true });
      written.push(path);
      // Whatever the umask of the caller removed or kept.
      chmodSync(path, 0o600);
    }
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(exitCodes.failed, `Keys cannot be written to ${into}: ${code ?? message}`);
  }
}

function keyFiles(): readonly KeyFile[] {
  const rights = createProofKey();
  const { d, ...published } = rights.export();
  const jwks = { keys: [{ ...published, kid: rights.thumbprint, alg: 'ES256', use: 'sig' }] };
  const json = (value: object): string => `${JSON.stringify(value)}\n`;
  return [
    { name: 'gateway-calls.json', setting: 'gateway: callKeyFile', text: json(createProofKey().export()) },
    { name: 'identity.keys', setting: 'gateway: identity.keyFile', text: newMasterKey() },
    { name: 'core-rights.json', setting: 'core: rights.keyFile', text: json({ ...published, d }) },
    { name: 'core-rights.json.jwks', setting: 'gateway: coreKeys.jwksFile', text: json(jwks) },
    { name: 'secrets.keys', setting: 'core: secrets.masterKeyFile', text: newMasterKey() },
    { name: 'storage.keys', setting: 'rhizome-storage: keyFile', text: newMasterKey() },
  ];
}

/** 32 bytes in base64. */
const newMasterKey = (): string => `${randomBytes(32).toString('base64')}\n`;
