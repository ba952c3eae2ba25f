/** The style of the start page; its digest stands in the page's content policy. */
export const STYLE = `
:root{--page:#faf8f4;--card:#fff;--line:#e7e1d6;--text:#1f1d1a;--soft:#6d675d;--code:#f4f0e8;--link:#9a5b06;--up:#2f9e5f;--down:#d0453a}
@media (prefers-color-scheme:dark){:root{--page:#14151a;--card:#1c1e25;--line:#2d303a;--text:#eceae5;--soft:#a09d96;--code:#111217;--link:#f0b54a;--up:#4cc38a;--down:#f2675c}}
*{box-sizing:border-box;margin:0}
body{background:var(--page);color:var(--text);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;padding:clamp(1.25rem,5vw,4rem) 1.25rem}
main{max-width:46rem;margin:auto}
header{display:flex;gap:1.1rem;align-items:center;margin-bottom:2rem}
header svg{width:3.6rem;height:3.6rem;flex:none;color:var(--soft)}
h1{font-size:1.75rem;letter-spacing:-.02em;line-height:1.2}
header p,li p{color:var(--soft)}
dl{background:var(--card);border:1px solid var(--line);border-radius:.8rem;padding:.35rem 1.15rem;margin-bottom:2.5rem}
dl div{display:flex;gap:1rem;padding:.6rem 0}
dl div+div{border-top:1px solid var(--line)}
dt{color:var(--soft);flex:0 0 5.5rem}
dd{overflow-wrap:anywhere;min-width:0}
dd i{display:inline-block;width:.6rem;height:.6rem;border-radius:50%;background:var(--line);margin-right:.55rem}
dd i.up{background:var(--up)}
dd i.down{background:var(--down)}
h2{font-size:1.15rem;margin-bottom:1rem}
ol{list-style:none;padding:0;counter-reset:step}
li{counter-increment:step;position:relative;padding-left:2.9rem;margin-bottom:1.9rem}
li::before{content:counter(step);position:absolute;left:0;top:.1rem;width:1.9rem;height:1.9rem;border-radius:50%;border:1px solid var(--line);background:var(--card);display:grid;place-items:center;font-size:.9rem;font-weight:600;color:var(--link)}
h3{font-size:1rem}
.code{position:relative;margin-top:.6rem}
pre{background:var(--code);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem;padding-right:4.6rem;overflow-x:auto;font:13.5px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
button{position:absolute;top:.5rem;right:.5rem;font:inherit;font-size:.8rem;color:var(--soft);background:var(--card);border:1px solid var(--line);border-radius:.45rem;padding:.2rem .6rem;cursor:pointer}
button:hover{color:var(--text)}
button[hidden]{display:none}
nav{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;border-top:1px solid var(--line);padding-top:1.25rem}
a{color:var(--link);text-underline-offset:.2em}
a:focus-visible,button:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:.2rem}
`;
