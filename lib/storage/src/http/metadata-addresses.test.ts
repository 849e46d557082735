import { describe, expect, it } from '@jest/globals';
import { assertNoMetadata } from './metadata-addresses.js';

describe('assertNoMetadata', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://[fd00:ec2::254]/latest',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://0xa9fea9fe/latest',
    'http://2852039166/latest',
    'http://100.100.100.200/latest',
    'http://168.63.129.16/machine',
    'http://[fd00:ec2::23]/',
    'http://[fd20:ce::254]/',
    'http://[fd00:c1::a9fe:a9fe]/',
  ])('refuses %s', (url) => {
    expect(() => assertNoMetadata(url)).toThrow(/metadata service/);
  });

  it.each(['http://127.0.0.1:8080/file', 'https://storage.example/file', 'http://10.0.0.7/file'])(
    'permits %s',
    (url) => {
      expect(() => assertNoMetadata(url)).not.toThrow();
    },
  );
});
