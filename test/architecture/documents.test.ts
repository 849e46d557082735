import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { read, repositoryFiles, root } from './repository.js';

const pages = repositoryFiles().filter((path) => path.endsWith('.md'));

describe('documents', () => {
  it.each(pages)('has working links: %s', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    const lost = links
      .filter((link) => !/^(https?:|mailto:|#)/.test(link))
      .filter((link) => !existsSync(join(root, normalize(join(dirname(page), link.split('#')[0] ?? '')))));
    expect(lost).toEqual([]);
  });

  it('has a README of at most 20 lines in every package', () => {
    const folders = [
      'gateway',
      'file-service',
      'schema',
      'test',
      'experiments',
      'lib',
      'subgraphs/core',
      'clients/cli',
      'clients/dashboard',
      'clients/executor',
      'clients/pilot',
      'deploy/playground',
    ];
    const wrong = folders.filter(
      (folder) =>
        !pages.includes(`${folder}/README.md`) || read(`${folder}/README.md`).trim().split('\n').length > 20,
    );
    expect(wrong).toEqual([]);
  });
});
