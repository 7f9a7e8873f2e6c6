"""The HTML report of an evaluation, with tables and figures.

figures       Figures of an evaluation: as PNG and PDF for papers, and as SVG in the colours of the HTML page
page          An evaluation as one HTML page without network access or scripts, in the light or dark scheme of the reader
paper_tables  Tables for papers: LaTeX (booktabs) and Markdown, the best value of each column in bold
tables        Tables of a report as HTML strings: statistics with intervals, significance, breakdowns
"""
