"""The observatory's pages. A page is a `Section`: a function from what it may read to what it
shows, a template, and the tables behind its charts. To add one:

1. a module here with a class or function whose `gather(asked) -> Found` reads `Sources`;
2. a line in `sections.py`;
3. a template pages_assets/templates/observe/<name>.html, with its texts in text/{en,de}.json,
   the tab's under `page.observe/<name>`.
"""
