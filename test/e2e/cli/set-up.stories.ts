// Logins by a token, completions and the help.
import { execFile } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { submit } from '../system/jobs.js';
import { cli, folderElsewhere, system } from './stage.js';

describe('rhizome login and completion', () => {
  it('stores gateway and token for their owner only, and uses them elsewhere', async () => {
    const elsewhere = await folderElsewhere();
    const login = await cli.run(['login', '--url', system.file.url], {
      cwd: elsewhere,
      stdin: system.file.readerToken,
    });
    expect(login).toMatchObject({ exitCode: 0 });
    expect(login.stdout).toMatch(/^Logged in as playground:reader \(HUMAN\)/);
    expect(login.stdout).not.toContain(system.file.readerToken);
    const { mode } = await stat(join(elsewhere, 'config', 'rhizome', 'credentials.json'));
    expect(mode & 0o777).toBe(0o600);
    expect(await cli.run(['queues'], { cwd: elsewhere })).toMatchObject({ exitCode: 0 });
    const refused = await cli.run(['login', '--url', system.file.url], { cwd: elsewhere, stdin: 'junk' });
    expect(refused.exitCode).toBe(4);
    expect(await cli.run(['queues'], { cwd: elsewhere })).toMatchObject({ exitCode: 0 });
  });

  it('completions parse in bash, and complete commands and flags', async () => {
    const { stdout } = await cli.run(['completion', 'bash']);
    const file = join(dirname(system.data), 'completion.bash');
    await writeFile(file, `${stdout}\n`);
    const complete = async (...words: string[]) => {
      const quoted = words.map((word) => `'${word}'`).join(' ');
      const script = `source ${file}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _rhizome; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout: answer } = await promisify(execFile)('bash', ['-euc', script]);
      return answer.trim().split('\n');
    };
    const verbs = ['whoami', 'watch', 'workflow', 'workers', 'worker', 'why'];
    expect(await complete('rhizome', 'w')).toEqual(verbs);
    expect(await complete('rhizome', 'logs', '--f')).toEqual(['--follow']);
    expect(await complete('rhizome', 'submit', '--exp')).toEqual(['--experiment']);
    expect(await complete('rhizome', 'schema', 'pub')).toEqual(['publish']);
    expect(await complete('rhizome', 'schema', 'publish')).toEqual(['publish']);
    expect(await complete('rhizome', 'schema', 'publish', '--no')).toEqual(['--note']);
  });

  it.each(['zsh', 'fish'])('completions for %s are printed', async (shell) => {
    const { exitCode, stdout } = await cli.run(['completion', shell]);
    expect(exitCode).toBe(0);
    for (const word of ['submit', 'watch', 'logs', 'cancel']) expect(stdout).toContain(word);
  });

  it('names every command and the exit codes in the help', async () => {
    const { exitCode, stdout } = await cli.run(['--help']);
    expect(exitCode).toBe(0);
    const commands = [
      'login',
      'submit',
      'list',
      'show',
      'watch',
      'logs',
      'cancel',
      'retry',
      'queues',
      'workers',
      'gpus',
      'why',
    ];
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^ +${command}\\b`, 'm'));
    expect(stdout).toMatch(/Exit codes: 0 success/);
  });

  it('hides a job from a user without a role in its experiment', async () => {
    const [id = ''] = await submit(system.api(), [{}]);
    const token = await system.identities.issuer.mint({
      subject: 'stranger@playground',
      kind: 'HUMAN',
      grants: [{ experiment: 'another', roles: ['USER'] }],
      ttlSeconds: 600,
    });
    const env = { RHIZOME_URL: system.file.url, RHIZOME_TOKEN: token };
    expect(await cli.run(['show', id], { env })).toMatchObject({ exitCode: 3 });
  });
});
