import { describe, expect, it } from '@jest/globals';
import { secretByContent, secretByPath } from './secret-files.js';

describe('secretByPath', () => {
  it.each([
    '.env',
    'conf/.env.production',
    '.netrc',
    'home/.ssh/id_ed25519',
    'id_rsa',
    '.kube/config',
    'kubeconfig',
    '.aws/credentials',
    '.npmrc',
    'server.key',
    'keystore.jks',
    'x509up_u1000',
    '.globus/userkey.pem',
    'token',
    'access_token.json',
    'credentials.json',
    'application_default_credentials.json',
  ])('takes %s for a secret', (path) => {
    expect(secretByPath(path)).toBeDefined();
  });

  it.each([
    '.env.example',
    'environment.yml',
    'id_rsa.pub',
    '.ssh/id_rsa.pub',
    'tokenizer.json',
    'token.py',
    'keys.csv',
    'ca.pem',
    'monkey.txt',
    'config',
  ])('does not take %s for a secret', (path) => {
    expect(secretByPath(path)).toBeUndefined();
  });
});

describe('secretByPath below a folder', () => {
  it.each([
    ['data/.kube', 'config'],
    ['data/.aws', 'credentials'],
    ['data/.docker', 'config.json'],
    ['data/.ssh', 'work'],
  ])('takes, in %s, %s for a secret', (root, path) => {
    expect(secretByPath(path, root)).toBeDefined();
    expect(secretByPath(path, 'data/analysis')).toBeUndefined();
  });
});

describe('secretByContent', () => {
  // Written in two parts, so that this file does not look like a secret itself.
  it.each([
    ['a private key', `x\n-----BEGIN ${'RSA PRIVATE KEY-----'}\n`],
    ['a private key', `-----BEGIN ${'PRIVATE KEY-----'}`],
    ['an access key of AWS', `key = "${'AKIA'}${'A1B2'.repeat(4)}"`],
    ['a token of GitHub', `${'ghp'}_${'a1B2'.repeat(9)}`],
    ['access to a cluster', `users:\n- user:\n    ${'client-key'}-data: LS0t`],
    ['credentials', `{ "${'refresh'}_token": "1//x" }`],
    ['a JSON Web Token', ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiJhZGEifQ', 'a1B2'.repeat(5)].join('.')],
    ['a token of GitLab', `${'glpat'}-${'a1B2_'.repeat(4)}`],
  ])('finds %s', (what, text) => {
    expect(secretByContent(Buffer.from(text))).toBe(what);
  });

  it('accepts certificates, public keys and other text', () => {
    for (const text of ['-----BEGIN CERTIFICATE-----', '-----BEGIN PUBLIC KEY-----', 'AKIA', 'ghp_short', ''])
      expect(secretByContent(Buffer.from(text))).toBeUndefined();
  });
});
