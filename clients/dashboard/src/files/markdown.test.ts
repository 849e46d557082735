import { describe, expect, it } from '@jest/globals';
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { parseMarkdown } from './markdown-tree.js';
import { Markdown } from './markdown.js';

const render = (text: string): string =>
  renderToStaticMarkup(createElement(Markdown, { tree: parseMarkdown(text) }));

describe('Markdown', () => {
  it('renders headings below those of the page, lists, code and tables', () => {
    const html = render('# Fit\n\n- a *b*\n\n1. c\n\n```\nx < y\n```\n\n| k | v |\n| - | - |\n| m | 91.2 |');
    expect(html).toContain('<h3>Fit</h3>');
    expect(html).toMatch(/<ul><li><p>a <em>b<\/em><\/p><\/li><\/ul>/);
    expect(html).toContain('<pre class="log">x &lt; y</pre>');
    expect(html).toContain('<tr><th>k</th><th>v</th></tr><tr><td>m</td><td>91.2</td></tr>');
  });

  it('shows HTML as text', () => {
    const html = render(
      'a <b onclick="x()">b</b>\n\n<script>alert(1)</script>\n\n<iframe src="//e.example">',
    );
    expect(html).not.toMatch(/<(?:b|script|iframe)\b/);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it.each(['https://example.org/a', 'http://example.org', 'mailto:ada@example.org'])('links to %s', (url) => {
    expect(render(`[a](${url})`)).toContain(`href="${url}" target="_blank" rel="noopener noreferrer"`);
  });

  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'javascript&colon;alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'blob:https://example.org/1',
    '/jobs/job_1',
    '//example.org',
    'https:/jobs/job_1',
    'https:jobs',
  ])('does not link to %s', (url) => {
    expect(render(`[text](${url})`)).toBe('<div class="markdown"><p>text</p></div>');
    expect(render(`[text]: ${url}\n\n[text]`)).not.toContain('<a');
  });

  it('loads no image', () => {
    const html = render(
      '![plot](https://example.org/beacon.png) ![](data:image/png,x)\n\n![a][b]\n\n[b]: /c',
    );
    expect(html).not.toContain('<img');
    expect(html).toContain('[image: plot]');
  });

  it('does not follow nesting that would exhaust the stack', () => {
    expect(render(`${'> '.repeat(500)}deep`)).toContain('…');
  });
});
