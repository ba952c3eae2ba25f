import { createHash } from 'node:crypto';

const STYLE = `
:root{--page:#faf8f4;--card:#fff;--line:#e7e1d6;--text:#1f1d1a;--soft:#6d675d;--link:#9a5b06}
@media (prefers-color-scheme:dark){:root{--page:#14151a;--card:#1c1e25;--line:#2d303a;--text:#eceae5;--soft:#a09d96;--link:#f0b54a}}
*{box-sizing:border-box;margin:0}
body{background:var(--page);color:var(--text);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;padding:clamp(1.25rem,8vw,5rem) 1.25rem}
main{max-width:26rem;margin:auto;background:var(--card);border:1px solid var(--line);border-radius:.8rem;padding:1.6rem}
h1{font-size:1.3rem;margin-bottom:.6rem}
p{color:var(--soft);margin-bottom:1rem}
label{display:block;margin-bottom:1rem}
input{display:block;width:100%;font:inherit;color:inherit;background:var(--page);border:1px solid var(--line);border-radius:.45rem;padding:.5rem .7rem;margin-top:.25rem}
button{font:inherit;color:var(--card);background:var(--link);border:0;border-radius:.45rem;padding:.55rem 1.1rem;cursor:pointer}
a:focus-visible,button:focus-visible,input:focus-visible{outline:2px solid var(--link);outline-offset:2px}
`;

// The token stands behind "#", which browsers send to nobody; it goes to our API when the person says so, not when a mail program
// looks at the link.
const SCRIPT = `const form = document.querySelector('form');
const say = (text) => { document.querySelector('[role=status]').textContent = text; };
const given = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, '', location.pathname);
if (!form) say(given.get('reason') === 'access_denied' ? 'The provider was not allowed to tell who you are.' : 'Reason: ' + (given.get('reason') || 'unknown'));
else form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = { ...Object.fromEntries(new FormData(form)), token: given.get('token') || '-' };
  const answer = await fetch(form.dataset.to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }).catch(() => null);
  if (answer && answer.ok) { form.hidden = true; say(form.dataset.done); return; }
  const problem = answer ? await answer.json().catch(() => null) : null;
  say(problem ? problem.message : 'The server does not answer at present; try again.');
});
`;

const digest = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Headers that let a page run its own style and script, ask our API, and nothing else. */
export const LINK_PAGE_HEADERS = {
  'Content-Security-Policy': `default-src 'none'; script-src ${digest(SCRIPT)}; style-src ${digest(STYLE)}; connect-src 'self'; base-uri 'none'; img-src data:; form-action 'none'; frame-ancestors 'none'`,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

/** What a link in a mail opens. */
export interface LinkPage {
  title: string;
  text: string;
  /** Absent: the page only tells something. */
  form?: {
    /** The route below `/api/v1` that takes the token. */
    to: string;
    fields: string;
    button: string;
    done: string;
  };
}

export const LINK_PAGES = {
  'verify-email': {
    title: 'Confirm your e-mail address',
    text: 'One click, and you can log in.',
    form: {
      to: '/auth/verify-email',
      fields: '',
      button: 'Confirm',
      done: 'Your e-mail address is confirmed. You can log in now.',
    },
  },
  'reset-password': {
    title: 'Set a new password',
    text: 'You will be logged out everywhere.',
    form: {
      to: '/auth/reset-password',
      fields:
        '<label>New password<input name="newPassword" type="password" autocomplete="new-password" minlength="8" maxlength="128" required></label>',
      button: 'Set the password',
      done: 'Your new password is set. You can log in with it now.',
    },
  },
  'change-email': {
    title: 'Confirm your new e-mail address',
    text: 'One click, and your account has this address.',
    form: {
      to: '/auth/confirm-email',
      fields: '',
      button: 'Confirm',
      done: 'Your account has this e-mail address from now on.',
    },
  },
  error: { title: 'That log-in did not work', text: 'Nothing was changed. Go back and try again.' },
} as const satisfies Record<string, LinkPage>;

/** The page as HTML; it holds no secret and loads nothing. @param prefix path of the public address, without a "/" at its end */
export function linkPage(page: LinkPage, prefix: string): string {
  const { form } = page;
  const fields = form
    ? `<form data-to="${prefix}/api/v1${form.to}" data-done="${form.done}">${form.fields}<button>${form.button}</button></form>`
    : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} · Carcosa</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${page.title}</h1>
<p>${page.text}</p>
${fields}
<p role="status"></p>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}
