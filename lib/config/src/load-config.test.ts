import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isDomainError } from '@rhizome/errors';
import { z } from 'zod';
import { loadConfig, redact } from './load-config.js';
import { environmentName } from './schema-walk.js';

const schema = z.object({
  mongoUri: z.string().regex(/^mongodb(\+srv)?:\/\//, 'expected a URI that starts with mongodb://'),
  host: z.string().default('127.0.0.1'),
  port: z.number().int().min(0).max(65535).default(4000),
  introspection: z.boolean().default(false),
  level: z.enum(['debug', 'info']).default('info'),
  origins: z.array(z.string()).default([]),
  transport: z.union([z.literal('in-process'), z.object({ url: z.string() })]).default('in-process'),
  weights: z.record(z.string(), z.number()).default({}),
  limits: z.object({ maxDepth: z.number().default(12), jwtTTLSeconds: z.number().default(60) }),
  tls: z.object({ keyFile: z.string() }).optional(),
});
const base = { schema, prefix: 'RHIZOME_CORE_', secrets: ['mongoUri', 'tls.keyFile'] };
const good = { RHIZOME_CORE_MONGO_URI: 'mongodb://core:hunter2@db' };

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rhizome-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function yaml(text: string): string {
  const file = join(folder, `${count++}.yaml`);
  writeFileSync(file, text);
  return file;
}

function faultsOf(source: Partial<Parameters<typeof loadConfig<typeof schema>>[0]>): string {
  try {
    loadConfig({ ...base, env: good, ...source });
  } catch (error) {
    if (!isDomainError(error)) throw error;
    expect(error.code).toBe('CONFIG_INVALID');
    expect(JSON.stringify(error.details) + error.message).not.toContain('hunter2');
    return error.message;
  }
  throw new Error('the configuration was expected to be refused');
}

describe('loadConfig', () => {
  it('prefers environment to file and file to defaults', () => {
    const file = yaml('port: 5000\nhost: 0.0.0.0\nlimits:\n  maxDepth: 3\n');
    const config = loadConfig({
      ...base,
      file,
      env: { ...good, RHIZOME_CORE_PORT: '6000', RHIZOME_CORE_LEVEL: '' },
    });
    expect(config).toMatchObject({
      port: 6000,
      host: '0.0.0.0',
      level: 'info',
      limits: { maxDepth: 3, jwtTTLSeconds: 60 },
    });
  });

  it('reads numbers, booleans, lists, records and unions from variables', () => {
    const env = {
      ...good,
      RHIZOME_CORE_INTROSPECTION: '1',
      RHIZOME_CORE_ORIGINS: 'http://a, http://b',
      RHIZOME_CORE_WEIGHTS: '{"a": 2}',
      RHIZOME_CORE_TRANSPORT: '{"url":"http://c"}',
      RHIZOME_CORE_LIMITS_JWT_TTL_SECONDS: '5',
      RHIZOME_CORE_TLS_KEY_FILE: '/key',
    };
    expect(loadConfig({ ...base, env })).toMatchObject({
      introspection: true,
      origins: ['http://a', 'http://b'],
      weights: { a: 2 },
      transport: { url: 'http://c' },
      limits: { jwtTTLSeconds: 5 },
      tls: { keyFile: '/key' },
    });
    expect(loadConfig({ ...base, env: good }).tls).toBeUndefined();
  });

  it('returns a deeply frozen object', () => {
    const config = loadConfig({ ...base, env: good }) as { limits: { maxDepth: number } };
    expect(() => {
      config.limits.maxDepth = 1;
    }).toThrow(TypeError);
  });

  it('reports all errors together: variable or YAML path, value, what is valid', () => {
    const file = yaml('level: loud\nlimits:\n  maxDepth: deep\n  maxDeepness: 3\nprot: 4000\n');
    const text = faultsOf({
      file,
      env: { RHIZOME_CORE_PORT: 'http', RHIZOME_CORE_WEIGHTS: '{"a": "heavy"}' },
    });
    expect(text.split('\n').slice(1)).toEqual([
      `  - ${file}: limits.maxDeepness is not a setting; expected one of jwtTTLSeconds, maxDepth`,
      expect.stringMatching(/: prot is not a setting; expected one of host, .*port, /),
      `  - RHIZOME_CORE_MONGO_URI (or mongoUri in ${file}) is not set; expected string`,
      '  - RHIZOME_CORE_PORT is "http"; expected number',
      `  - ${file}: level is "loud"; expected one of "debug"|"info"`,
      '  - RHIZOME_CORE_WEIGHTS (a) is "heavy"; expected number',
      `  - ${file}: limits.maxDepth is "deep"; expected number`,
    ]);
    expect(text).toContain('7 faults');
  });

  it('keeps secrets out of error messages', () => {
    expect(faultsOf({ env: { RHIZOME_CORE_MONGO_URI: 'postgres://core:hunter2@db' } })).toContain(
      'RHIZOME_CORE_MONGO_URI has a wrong value (secret, not shown); expected a URI that starts with mongodb://',
    );
    expect(faultsOf({ file: yaml('tls: { keyFile: [hunter2] }') })).toContain(
      'tls.keyFile has a wrong value',
    );
    expect(faultsOf({ file: yaml('mongoUri: "mongodb://core:hunter2@db\n  x: [') })).toMatch(/not YAML/);
    const quoting = schema.extend({
      mongoUri: z.string().refine(() => false, { error: (issue) => `no ${String(issue.input)}` }),
    });
    expect(faultsOf({ schema: quoting as unknown as typeof schema })).toContain('see the documentation');
    const whole = schema.refine(() => false, { message: 'wrong together' });
    expect(faultsOf({ schema: whole })).toContain('wrong together');
  });

  it.each([
    ['a missing file', () => join(folder, 'none.yaml'), /none\.yaml: cannot be read \(ENOENT\)/],
    ['broken YAML', () => yaml('a: 1\nb: [1'), /\.yaml:\d: not YAML/],
    ['a key twice', () => yaml('port: 1\nport: 2\n'), /:2: not YAML \(DUPLICATE_KEY\)/],
    ['a list', () => yaml('- 1\n'), /is a list; expected a map/],
    ['a section that is a value', () => yaml('limits: 3\n'), /limits is 3; expected object/],
  ])('rejects %s', (_what, file, expected) => {
    expect(faultsOf({ file: file() })).toMatch(expected);
  });

  it('takes an empty file for no settings', () => {
    expect(loadConfig({ ...base, env: good, file: yaml('# nothing\n') }).port).toBe(4000);
  });
});

it('derives names of variables from the path', () => {
  expect(environmentName('RHIZOME_', ['mongoUri'])).toBe('RHIZOME_MONGO_URI');
  expect(environmentName('RHIZOME_', ['limits', 'jwtTTLSeconds'])).toBe('RHIZOME_LIMITS_JWT_TTL_SECONDS');
});

it('masks secrets at any depth with redact and keeps the rest', () => {
  const config = { mongoUri: 'x', port: 1, tls: { keyFile: 'y', port: 2 } };
  expect(redact(config, ['mongoUri', 'tls.keyFile'])).toEqual({
    mongoUri: '***',
    port: 1,
    tls: { keyFile: '***', port: 2 },
  });
  expect(config.mongoUri).toBe('x');
});
