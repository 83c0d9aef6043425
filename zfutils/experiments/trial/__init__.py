"""Chapter 14: what a projection is evidence for, by the tests that later work put to it (Springenberg 2014,
Mahendran & Vedaldi 2016, Nie 2018, Adebayo 2018, Sixt 2020).
"""
