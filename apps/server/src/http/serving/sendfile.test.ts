import { presentationOf } from '@carcosa/domain';
import { describe, expect, it } from 'vitest';
import { sendfileHeaders } from './sendfile.ts';

const png = presentationOf('image/png');
const root = '/srv/carcosa data';
const file = `${root}/buckets/b/objects/o/a+b~1.png`;

describe('sendfileHeaders', () => {
  it('names the file for each kind of proxy, encoded as each decodes it', () => {
    const headers = (mode: 'off' | 'x-accel-redirect' | 'x-sendfile', prefix = '/internal/') =>
      sendfileHeaders({ mode, prefix, root }, file, png);
    expect(headers('off')).toBeNull();
    expect(headers('x-sendfile')).toEqual(['X-Sendfile', '/srv/carcosa%20data/buckets/b/objects/o/a%2Bb~1.png']);
    const redirect = ['X-Accel-Redirect', '/internal/buckets/b/objects/o/a%2Bb~1.png'];
    expect(headers('x-accel-redirect')).toEqual(redirect);
    expect(headers('x-accel-redirect', '/internal')).toEqual(redirect);
  });

  it('hands over neither what lies elsewhere nor what is only harmless with a policy of ours', () => {
    const accel = { mode: 'x-accel-redirect', prefix: '/x/', root } as const;
    expect(sendfileHeaders(accel, '/etc/passwd', png)).toBeNull();
    expect(sendfileHeaders(accel, file, presentationOf('image/svg+xml'))).toBeNull();
    expect(sendfileHeaders({ ...accel, mode: 'x-sendfile' }, file, presentationOf('text/html'))).toBeNull();
  });
});
